import Foundation

/// Makes elements 0, 1, 2… on threads of its own, a bounded number ahead of the one who takes them in order.
final class PrefetchQueue<Element: Sendable>: Sendable {
    private let shared: Shared

    init(threads: Int, depth: Int, make: @escaping @Sendable (_ number: Int) throws -> Element) {
        let shared = Shared(depth: max(depth, threads), running: threads)
        self.shared = shared
        for _ in 0..<threads {
            let thread = Thread { shared.work(make) }
            thread.name = "data"
            thread.start()
        }
    }

    deinit { close() }

    /// The next element in order; waits for it.
    /// - Throws: what making it threw, after which the next element follows; `CancellationError` after `close`.
    func next() throws -> Element { try shared.take() }

    /// Ends the threads and waits until they are gone.
    func close() { shared.close() }

    /// What the threads and the taker share, guarded by `condition`.
    private final class Shared: @unchecked Sendable {
        private let condition = NSCondition()
        private let depth: Int
        private var running: Int
        private var nextToMake = 0
        private var nextToTake = 0
        private var ready: [Int: Result<Element, any Error>] = [:]
        private var isClosed = false

        init(depth: Int, running: Int) {
            self.depth = depth
            self.running = running
        }

        func work(_ make: (Int) throws -> Element) {
            while let number = claim() {
                let result = Result { try make(number) }
                condition.withLock {
                    ready[number] = result
                    condition.broadcast()
                }
            }
            condition.withLock {
                running -= 1
                condition.broadcast()
            }
        }

        private func claim() -> Int? {
            condition.withLock {
                while !isClosed && nextToMake >= nextToTake + depth { condition.wait() }
                guard !isClosed else { return nil }
                defer { nextToMake += 1 }
                return nextToMake
            }
        }

        func take() throws -> Element {
            let result: Result<Element, any Error> = try condition.withLock {
                while ready[nextToTake] == nil {
                    guard !isClosed else { throw CancellationError() }
                    condition.wait()
                }
                defer {
                    nextToTake += 1
                    condition.broadcast()
                }
                return ready.removeValue(forKey: nextToTake) ?? .failure(CancellationError())
            }
            return try result.get()
        }

        func close() {
            condition.withLock {
                isClosed = true
                condition.broadcast()
                while running > 0 { condition.wait() }
                ready = [:]
            }
        }
    }
}
