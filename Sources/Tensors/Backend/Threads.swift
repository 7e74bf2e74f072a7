import CKernels

/// The compute pool: GNU OpenMP, shared with oneDNN.
public enum ComputeThreads {
    /// Threads that an operation started from this thread uses.
    public static var count: Int { Int(sfumato_thread_count()) }

    /// Sets the number for the calling thread only, as OpenMP defines it.
    public static func setCount(_ count: Int) { sfumato_set_thread_count(Int32(max(1, count))) }
}

/// Calls `body(begin, end)` on contiguous parts of `0..<count` from the compute pool, at least `grain` each.
func parallelFor(_ count: Int, grain: Int, _ body: (Int, Int) -> Void) {
    withoutActuallyEscaping(body) { body in
        var box = body
        withUnsafeMutablePointer(to: &box) { pointer in
            sfumato_parallel_for(Int64(count), Int64(grain), pointer) { context, begin, end in
                context?.assumingMemoryBound(to: ((Int, Int) -> Void).self).pointee(Int(begin), Int(end))
            }
        }
    }
}
