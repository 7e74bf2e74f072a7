import CKernels

/// Runs `body` on contiguous parts of 0 ..< count, one part per thread of the pool; on the calling thread alone
/// when there are fewer than two parts of `grain` items.
func inParallel(_ count: Int, grain: Int, _ body: (Range<Int>) -> Void) {
    withoutActuallyEscaping(body) { body in
        withUnsafePointer(to: ParallelLoop(body: body)) { loop in
            let context = UnsafeMutableRawPointer(mutating: loop)
            sfumato_parallel_for(Int64(count), Int64(grain), context) { context, begin, end in
                context?.assumingMemoryBound(to: ParallelLoop.self).pointee.body(Int(begin)..<Int(end))
            }
        }
    }
}

private struct ParallelLoop {
    let body: (Range<Int>) -> Void
}
