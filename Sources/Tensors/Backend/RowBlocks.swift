import CKernels
import Synchronization

/// The rows of a batch in blocks that stay in a core's cache while several operations go over them.
///
/// A block holds whole samples, or a part of one: what a sample becomes does not depend on its neighbours. Parts of one
/// sample inside a block are *segments*; vectors that differ between samples, and sums over a sample's rows, belong
/// to one.
struct RowBlocks {
    let layout: ChannelLayout
    private let blockRows: Int
    private let blocksPerSample: Int
    private let samplesPerBlock: Int

    /// - Parameters:
    ///   - width: scalars that a row occupies in the cache.
    ///   - minimum: rows of a block, where there are so many; products of fewer lose more by their borders.
    init(_ layout: ChannelLayout, width: Int, minimum: Int = 64) {
        self.layout = layout
        // Half of a second-level cache of 1 MB; the rest is for weights on their way through.
        let fitting = (1 << 17) / max(1, width)
        let size = [1024, 512, 256, 128].first { $0 <= fitting } ?? 64
        blockRows = max(minimum, size)
        blocksPerSample = max(1, (layout.rows + blockRows - 1) / blockRows)
        samplesPerBlock = max(1, min(layout.samples, blockRows / max(1, layout.rows)))
    }

    var count: Int {
        blocksPerSample > 1
            ? layout.samples * blocksPerSample : (layout.samples + samplesPerBlock - 1) / samplesPerBlock
    }

    var segmentCount: Int { layout.samples * blocksPerSample }

    /// Rows of a block, counted over all samples.
    func rows(_ block: Int) -> Range<Int> {
        let (first, count) = (layout.rows, layout.samples)
        guard blocksPerSample > 1 else {
            return block * samplesPerBlock * first..<min(count, (block + 1) * samplesPerBlock) * first
        }
        let start = block / blocksPerSample * first
        let offset = block % blocksPerSample * blockRows
        return start + offset..<start + min(first, offset + blockRows)
    }

    /// The different numbers of rows that blocks have, at most two.
    var rowCounts: [Int] {
        guard count > 0 else { return [] }
        return Array(Set([rows(0).count, rows(count - 1).count]))
    }

    /// Calls `body(segment, sample, firstRow, rowCount)` for the segments of a block, the first row counted within it.
    /// - Parameter range: rows of the block, of which these are the segments; nil for all.
    func eachSegment(_ block: Int, _ range: Range<Int>? = nil, _ body: (Int, Int, Int, Int) -> Void) {
        let all = rows(block)
        let range = range ?? 0..<all.count
        if blocksPerSample > 1 {
            return body(block, block / blocksPerSample, range.lowerBound, range.count)
        }
        guard !range.isEmpty else { return }
        let first = (all.lowerBound + range.lowerBound) / layout.rows
        let last = (all.lowerBound + range.upperBound - 1) / layout.rows
        for sample in first...last {
            let start = sample * layout.rows - all.lowerBound
            let part = max(range.lowerBound, start)..<min(range.upperBound, start + layout.rows)
            body(sample, sample, part.lowerBound, part.count)
        }
    }

    /// The most rows that a block has.
    var rowLimit: Int { rowCounts.max() ?? 0 }

    /// How many threads share the blocks.
    var workerCount: Int { max(1, min(ComputeThreads.count, count)) }

    /// Performs `body(worker, blocks)` once on each thread, whose operations use no other. Every worker has a contiguous run
    /// of blocks, so that it finds in its caches what it made of these rows before; when done it helps the others.
    func performShared(_ body: @escaping (Int, BlockQueue) -> Void) {
        let queues = queues()
        for (index, queue) in queues.enumerated() {
            queue.others = queues.indices.dropFirst().map { Unowned(queues[(index + $0) % queues.count]) }
        }
        let work = PartialWork { begin, end in
            ComputeThreads.onOneThread { for worker in begin..<end { body(worker, queues[worker]) } }
        }
        perform {
            for queue in queues { queue.refill() }
            work.run(queues.count, grain: 1)
        }
    }

    /// The same without help, so that which worker does what depends on the thread count alone: for sums.
    func divide(_ body: (Int, BlockQueue) -> Void) {
        let queues = queues()
        ComputeThreads.each(queues.count) { body($0, queues[$0]) }
    }

    private func queues() -> [BlockQueue] {
        let (workers, count) = (workerCount, count)
        return (0..<workers).map {
            BlockQueue(count * $0 / workers..<count * ($0 + 1) / workers)
        }
    }

    /// Sums of segments as vectors of samples, or as one vector for all: added in order, so that the result does not depend
    /// on the thread count.
    /// - Parameters:
    ///   - partial: [segments, stride]
    ///   - offset: where the `width` scalars of a segment begin.
    func reduce(
        _ partial: Storage, stride: Int, offset: Int = 0, width: Int, isShared: Bool, into sum: Output
    ) {
        let (vectors, each) = isShared ? (1, segmentCount) : (layout.samples, blocksPerSample)
        for vector in 0..<vectors {
            let target = sum + vector * width
            target.update(from: partial.floats(offset: vector * each * stride + offset), count: width)
            for segment in vector * each + 1..<(vector + 1) * each {
                sfumato_accumulate(
                    partial.floats(offset: segment * stride + offset), target, 1, Int64(width))
            }
        }
    }

    /// The same of two sums side by side, [segments, 2, width], each with its result and whether that is one for all.
    func reducePairs(_ partial: Storage, width: Int, _ first: (Output, Bool), _ second: (Output, Bool)) {
        for (index, (target, isShared)) in [first, second].enumerated() {
            reduce(
                partial, stride: 2 * width, offset: index * width, width: width, isShared: isShared,
                into: target)
        }
    }

    /// Zeroed sums for `reduce`.
    func sums(width: Int) -> Storage {
        let result = Storage(byteCount: 4 * segmentCount * width)
        result.floats().update(repeating: 0, count: segmentCount * width)
        return result
    }
}

/// Blocks that wait for a worker, handed out one by one: to it from the front, to those who help from the back.
final class BlockQueue: @unchecked Sendable {
    /// The first block that waits in the lower half, the one behind the last in the upper.
    private let waiting: Atomic<UInt64>
    private let all: UInt64
    /// Whose blocks are taken when there are none left. Set before the work begins.
    fileprivate var others: [Unowned] = []

    init(_ blocks: Range<Int>) {
        all = UInt64(blocks.upperBound) << 32 | UInt64(blocks.lowerBound)
        waiting = Atomic(all)
    }

    /// Puts all blocks back. Before the work begins.
    fileprivate func refill() { waiting.store(all, ordering: .relaxed) }

    /// The next block, or nil when all are taken.
    func next() -> Int? {
        if let block = take(fromBack: false) { return block }
        for other in others {
            if let block = other.queue.take(fromBack: true) { return block }
        }
        return nil
    }

    private func take(fromBack: Bool) -> Int? {
        var known = waiting.load(ordering: .relaxed)
        while true {
            let (first, end) = (known & 0xFFFF_FFFF, known >> 32)
            guard first < end else { return nil }
            let rest = fromBack ? (end - 1) << 32 | first : end << 32 | (first + 1)
            let (isTaken, now) = waiting.compareExchange(expected: known, desired: rest, ordering: .relaxed)
            if isTaken { return Int(fromBack ? end - 1 : first) }
            known = now
        }
    }
}

/// A queue of another worker, which lives as long as all of them work.
private struct Unowned {
    unowned let queue: BlockQueue

    init(_ queue: BlockQueue) { self.queue = queue }
}
