import CKernels
import Synchronization

/// The compute pool: GNU OpenMP, shared with oneDNN.
public enum ComputeThreads {
    /// Threads that an operation started from this thread uses.
    public static var count: Int { Int(sfumato_thread_count()) }

    /// Sets the number for the calling thread only, as OpenMP defines it.
    public static func setCount(_ count: Int) { sfumato_set_thread_count(Int32(max(1, count))) }

    /// Calls `body` for every index, indices side by side on the pool's threads, each call's operations on one
    /// thread alone.
    ///
    /// A call computes the same bytes whatever the thread count, because its operations never see more than one
    /// thread. Independent work of some size (one image through a network) is faster this way than with every
    /// operation divided: nobody waits at the end of each operation.
    public static func concurrently(_ count: Int, _ body: (Int) -> Void) {
        let next = Atomic(0)
        each(min(count, self.count)) { _ in
            while true {
                let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard index < count else { return }
                body(index)
            }
        }
    }

    /// Calls `body` once on each of the pool's first threads, with its number; operations started there use one thread.
    static func each(_ count: Int, _ body: (Int) -> Void) {
        parallelFor(count, grain: 1) { begin, end in
            onOneThread { for worker in begin..<end { body(worker) } }
        }
    }

    /// Calls `body`, whose operations use no thread but this.
    static func onOneThread(_ body: () -> Void) {
        let previous = count
        setCount(1)
        defer { setCount(previous) }
        body()
    }
}

/// Calls `body(begin, end)` on contiguous parts of `0..<count` from the compute pool, at least `grain` each.
func parallelFor(_ count: Int, grain: Int, _ body: (Int, Int) -> Void) {
    withoutActuallyEscaping(body) { PartialWork($0).run(count, grain: grain) }
}

/// What `parallelFor` calls, for work that is done again and again: running it allocates nothing.
struct PartialWork {
    private let body: (Int, Int) -> Void

    init(_ body: @escaping (_ begin: Int, _ end: Int) -> Void) { self.body = body }

    func run(_ count: Int, grain: Int) {
        StepRecorder.refuse(.unrecordedWork)
        withUnsafePointer(to: self) { pointer in
            sfumato_parallel_for(Int64(count), Int64(grain), UnsafeMutableRawPointer(mutating: pointer)) {
                $0?.assumingMemoryBound(to: PartialWork.self).pointee.body(Int($1), Int($2))
            }
        }
    }
}
