import CKernels
import Synchronization

/// Does a step of the computation now, and again whenever the recording that it belongs to is replayed.
///
/// A step reads and writes memory through the pointers that it was given and depends on nothing else that changes. What it
/// needs beside them (plans, packed weights, scratch memory) is made before it, once.
@inline(__always)
func perform(_ step: @escaping () -> Void) {
    guard let recorder = StepRecorder.current else { return step() }
    recorder.perform(step)
}

/// `perform` of contiguous parts of `0..<count` on the compute pool, at least `grain` each.
@inline(__always)
func performParallel(_ count: Int, grain: Int, _ body: @escaping (_ begin: Int, _ end: Int) -> Void) {
    let work = PartialWork(body)
    perform { work.run(count, grain: grain) }
}

/// Watches one run of a function on the thread that runs it: which steps it takes, and which memory lives from when to
/// when.
///
/// The first run of a function is a survey, from which `ArenaPlan` gives every allocation a place; in the second the
/// allocations get these places and the steps are kept.
final class StepRecorder: @unchecked Sendable {
    /// Why a function cannot be replayed.
    enum Refusal: Error, Equatable {
        /// The host looked at values, or wrote some, between the steps: they may be others next time.
        case hostAccess
        /// Work was done that no step contains.
        case unrecordedWork
        /// A run did not allocate as the one before it.
        case changedCourse
    }

    /// The memory of one allocation, and the steps that may use it: from `birth` to the one before `death`.
    struct Lifetime {
        var byteCount: Int
        var birth: Int
        var death = Int.max
    }

    /// The recorder of the calling thread's function; nil within a step.
    static var current: StepRecorder? {
        guard let raw = sfumato_recorder() else { return nil }
        return Unmanaged<StepRecorder>.fromOpaque(raw).takeUnretainedValue()
    }

    /// To be called where the host touches what steps compute.
    static func refuse(_ refusal: Refusal) { current?.refuse(refusal) }

    /// Places for this run's allocations; nil in a survey.
    private let arena: Arena?
    private let lifetimes = Mutex<[Lifetime]>([])
    private var allocationCount = 0
    private var stepCount = 0
    private(set) var steps: [() -> Void] = []
    /// Memory that steps read and no step writes.
    private var constants: [Storage] = []
    /// What the next step uses.
    private var held: [Storage] = []
    /// Packed weights are as old as these contents.
    private(set) var dependencies: [(storage: Storage, version: Int)] = []
    private(set) var refusal: Refusal?

    init(into arena: Arena? = nil) { self.arena = arena }

    /// Runs `body` under this recorder, which lives no longer than the caller keeps it.
    func watch<Result>(_ body: () -> Result) -> Result {
        defer { held = [] }
        return Self.with(self, body)
    }

    /// Runs `body`, whose work is no part of the recording: what it makes is kept elsewhere.
    static func suspended<Result>(_ body: () -> Result) -> Result { with(nil, body) }

    private static func with<Result>(_ recorder: StepRecorder?, _ body: () -> Result) -> Result {
        let previous = sfumato_recorder()
        sfumato_set_recorder(recorder.map { Unmanaged.passUnretained($0).toOpaque() })
        defer { sfumato_set_recorder(previous) }
        return body()
    }

    func refuse(_ reason: Refusal) { refusal = refusal ?? reason }

    func perform(_ step: @escaping () -> Void) {
        Self.suspended(step)
        stepCount += 1
        if arena != nil { steps.append(step) }
        held.removeAll(keepingCapacity: true)
    }

    func hold(_ storage: Storage) { held.append(storage) }

    func keep(_ constant: Storage) { constants.append(constant) }

    func depends(on storage: Storage, version: Int) { dependencies.append((storage, version)) }

    /// In a survey: the number of an allocation.
    func survey(_ byteCount: Int) -> Int {
        lifetimes.withLock {
            $0.append(Lifetime(byteCount: byteCount, birth: stepCount))
            return $0.count - 1
        }
    }

    /// In a survey: the allocation is not used any more.
    func end(_ allocation: Int) { lifetimes.withLock { $0[allocation].death = stepCount } }

    /// The survey's allocations, in order.
    var surveyed: [Lifetime] { lifetimes.withLock { $0 } }

    /// The place of this run's next allocation, if it is the one that was surveyed.
    func take(_ byteCount: Int) -> (Arena, UnsafeMutableRawPointer)? {
        guard let arena, refusal == nil else { return nil }
        let place = arena.plan.place(allocationCount, byteCount: byteCount, step: stepCount)
        allocationCount += 1
        guard let place else {
            refuse(.changedCourse)
            return nil
        }
        return (arena, arena.pointer + place)
    }

    var isSurvey: Bool { arena == nil }

    /// Whether a recording went the way of its survey to the end.
    var isComplete: Bool { refusal == nil && allocationCount == arena?.plan.count }
}
