import Foundation
import Synchronization
import Testing

@testable import Training

@Suite struct DataPrefetchTests {
    /// Counts from several threads.
    private final class Counter: Sendable {
        private let value = Mutex(0)
        var current: Int { value.withLock { $0 } }
        func increment() { value.withLock { $0 += 1 } }
    }

    @Test(arguments: [(1, 1), (3, 2), (4, 9)])
    func `elements come in order and no more than the depth ahead`(threads: Int, depth: Int) throws {
        let made = Counter()
        let queue = PrefetchQueue(threads: threads, depth: depth) { number in
            made.increment()
            if number % 3 == 0 { usleep(500) }
            return number
        }
        for expected in 0..<40 {
            #expect(try queue.next() == expected)
            #expect(made.current <= expected + 1 + max(threads, depth))
        }
    }

    @Test func `a queue that is dropped or closed while its threads wait or work ends them`() throws {
        let made = Counter()
        for round in 0..<20 {
            let queue = PrefetchQueue(threads: 3, depth: 4) { number in
                usleep(200)
                made.increment()
                return number
            }
            if round % 2 == 0 { _ = try queue.next() }
            if round % 4 < 2 {
                queue.close()
                queue.close()
                #expect(throws: CancellationError.self) { try queue.next() }
            }
        }
        let count = made.current
        usleep(20_000)
        #expect(made.current == count)
    }

    @Test func `an error arrives at its place`() throws {
        struct Failure: Error {}
        let queue = PrefetchQueue(threads: 2, depth: 4) { number in
            if number == 2 { throw Failure() }
            return number
        }
        #expect(try queue.next() == 0)
        #expect(try queue.next() == 1)
        #expect(throws: Failure.self) { try queue.next() }
        #expect(try queue.next() == 3)
    }
}
