import Glibc
import Synchronization

/// A block of 64-byte-aligned memory that goes back to a size-classed cache when its last user lets go.
///
/// Contents are undefined at birth. A storage is written by the operation that creates it, or in place by an
/// optimiser between steps; it is never written while another thread reads it, which is what makes sharing it
/// across threads sound.
public final class Storage: @unchecked Sendable {
    /// Where the memory comes from, and so where it goes.
    private enum Origin {
        case cache(capacity: Int)
        /// The same, watched by a recorder under this number.
        case surveyed(StepRecorder, Int, capacity: Int)
        case arena(Arena)
    }

    private struct Packs {
        var made: [PackKey: Storage] = [:]
        var version = 0
    }

    public let pointer: UnsafeMutableRawPointer
    public let byteCount: Int
    private let origin: Origin
    private let packs = Mutex(Packs())

    public init(byteCount: Int) {
        self.byteCount = byteCount
        let recorder = StepRecorder.current
        if let (arena, place) = recorder?.take(byteCount) {
            (pointer, origin) = (place, .arena(arena))
            return
        }
        let (block, capacity) = StorageCache.shared.take(byteCount)
        pointer = block
        if let recorder, recorder.isSurvey {
            origin = .surveyed(recorder, recorder.survey(byteCount), capacity: capacity)
        } else {
            origin = .cache(capacity: capacity)
        }
    }

    /// Memory that is written now, before the steps that read it, and keeps its contents when these are replayed.
    static func constant(byteCount: Int) -> Storage {
        let result = StepRecorder.suspended { Storage(byteCount: byteCount) }
        StepRecorder.current?.keep(result)
        return result
    }

    deinit {
        switch origin {
        case .cache(let capacity): StorageCache.shared.give(pointer, capacity: capacity)
        case .surveyed(let recorder, let number, let capacity):
            recorder.end(number)
            StorageCache.shared.give(pointer, capacity: capacity)
        case .arena: break
        }
    }

    /// Whether a recorded function computes these contents anew in every call.
    var isRecorded: Bool { if case .cache = origin { false } else { true } }

    /// A derived form of these contents (weights in a kernel's layout), made once and kept until they change.
    func packed(_ key: PackKey, make: () -> Storage) -> Storage {
        if let recorder = StepRecorder.current {
            recorder.depends(on: self, version: version)
            // Weights that are computed on the way would have to be packed anew each time.
            if isRecorded { recorder.refuse(.unrecordedWork) }
        }
        return packs.withLock { packs in
            if let pack = packs.made[key] { return pack }
            let pack = StepRecorder.suspended(make)
            packs.made[key] = pack
            return pack
        }
    }

    /// How often the contents changed.
    var version: Int { packs.withLock { $0.version } }

    /// To be called after every write in place: derived forms are made anew.
    func contentsChanged() {
        // A recorded function that changes what it is given is another one in every call.
        StepRecorder.refuse(.hostAccess)
        packs.withLock { packs in
            packs.made.removeAll()
            packs.version += 1
        }
    }

    /// To be called where an address is taken: a recorded function's memory is not given to others before the step that
    /// uses it is done.
    func isWantedByNextStep() {
        guard isRecorded, let recorder = StepRecorder.current else { return }
        recorder.hold(self)
    }

    /// To be called where the host reads or writes contents.
    func hostAccess() {
        if isRecorded { StepRecorder.refuse(.hostAccess) }
    }

    public func floats(offset: Int = 0) -> UnsafeMutablePointer<Float> {
        pointer.assumingMemoryBound(to: Float.self) + offset
    }
}

/// Which derived form of a storage: a kernel's layout, and where in the storage the tensor begins.
struct PackKey: Hashable {
    var layout: Int
    var offset: Int
}

/// Freed blocks by size class, so that a training or sampling step that repeats its shapes never asks the
/// system for memory after its first round.
public final class StorageCache: Sendable {
    public static let shared = StorageCache()

    private struct State: @unchecked Sendable {
        var free: [Int: [UnsafeMutableRawPointer]] = [:]
        var liveBytes = 0
        var peakBytes = 0
        var cachedBytes = 0
        var requestCount = 0
    }

    private let state = Mutex(State())

    /// Bytes handed out and not yet returned, the most there ever were, and bytes kept for reuse.
    public var statistics: (live: Int, peak: Int, cached: Int) {
        state.withLock { ($0.liveBytes, $0.peakBytes, $0.cachedBytes) }
    }

    /// How often a block came from the system, because none was kept that fits.
    public var requestCount: Int { state.withLock { $0.requestCount } }

    public func resetPeak() { state.withLock { $0.peakBytes = $0.liveBytes } }

    /// Gives every cached block back to the system.
    public func trim() {
        let blocks = state.withLock { state in
            defer {
                state.free = [:]
                state.cachedBytes = 0
            }
            return state.free.values.flatMap { $0 }
        }
        for block in blocks { block.deallocate() }
    }

    /// Eight classes per power of two: at most 12.5 % of a block is unused.
    static func sizeClass(_ byteCount: Int) -> Int {
        guard byteCount > 512 else { return 512 }
        let step = 1 << (Int.bitWidth - 1 - (byteCount - 1).leadingZeroBitCount - 3)
        return (byteCount + step - 1) / step * step
    }

    func take(_ byteCount: Int) -> (UnsafeMutableRawPointer, Int) {
        let capacity = Self.sizeClass(byteCount)
        let reused = state.withLock { state -> UnsafeMutableRawPointer? in
            state.liveBytes += capacity
            state.peakBytes = max(state.peakBytes, state.liveBytes)
            guard let block = state.free[capacity]?.popLast() else {
                state.requestCount += 1
                return nil
            }
            state.cachedBytes -= capacity
            return block
        }
        return (reused ?? Self.allocate(capacity), capacity)
    }

    private static let hugePage = 1 << 21

    /// Memory from the system. Large blocks begin at a huge page and ask for such pages: a five-hundredth of the page
    /// faults when they are first touched, and address translations that stay in the processor's table.
    private static func allocate(_ capacity: Int) -> UnsafeMutableRawPointer {
        guard capacity >= 2 * hugePage else { return .allocate(byteCount: capacity, alignment: 64) }
        let block = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: hugePage)
        // Only advice: where the system has no huge pages, the block is as good as any.
        madvise(block, capacity, MADV_HUGEPAGE)
        return block
    }

    func give(_ pointer: UnsafeMutableRawPointer, capacity: Int) {
        state.withLock { state in
            state.liveBytes -= capacity
            state.cachedBytes += capacity
            state.free[capacity, default: []].append(pointer)
        }
    }
}
