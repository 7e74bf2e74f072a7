import Synchronization

/// A function of tensors whose course is recorded once for each combination of shapes, and then replayed: its operations as a
/// list, with their plans, packed weights and all memory in one block, so that a call allocates nothing and sets nothing
/// up but its results.
///
/// The first call with a shape surveys the memory, the second records, and every call from the third on replays. Several
/// threads may call at the same time; each has a recording of its own. Results have the same bits as those of the
/// function itself.
///
/// Functions that look at values on the way (and decide by them, or compute with them outside of tensors) are noticed and
/// called as they are. Weights may change between calls.
public final class ReplayedFunction: Sendable {
    /// What a call found.
    private enum Course {
        case direct, survey
        case record(ArenaPlan)
        case replay(Replay)
    }

    private struct Key: Hashable {
        var shapes: [Shape]
        /// Plans divide their work when they are made.
        var threads: Int
    }

    private struct Entry {
        var plan: ArenaPlan?
        var idle: [Replay] = []
        /// Refusals so far. Caches that fill in a first run change the second; after some more it is the function's way.
        var refusalCount = 0
        var lastUse = 0
    }

    private struct State {
        var entries: [Key: Entry] = [:]
        var callCount = 0
        var replayCount = 0
    }

    private static let toleratedRefusals = 3
    /// Bytes of recordings beside those of the latest shape: of shapes that did not come in the last calls, and of all.
    private static let idleLimit = 64 << 20
    private static let totalLimit = 1 << 30
    private static let latestCalls = 16
    private static let entryLimit = 256

    private let body: @Sendable ([Tensor]) -> [Tensor]
    private let state = Mutex(State())

    /// - Parameter body: of float32 tensors that are not tracked, with results of the same kind. Beside its inputs it may
    ///   depend on constants and on weights alone: not on random numbers, and not on anything that it changes.
    public init(_ body: @escaping @Sendable ([Tensor]) -> [Tensor]) { self.body = body }

    /// Calls that were replayed.
    public var replayCount: Int { state.withLock { $0.replayCount } }

    public func callAsFunction(_ inputs: [Tensor]) -> [Tensor] {
        let values = inputs.map(\.detached)
        // Within another recording the function is a part of that.
        guard StepRecorder.current == nil, values.allSatisfy({ $0.scalarType == .float32 }) else {
            return body(values)
        }
        let key = Key(shapes: values.map(\.shape), threads: ComputeThreads.count)
        switch course(key) {
        case .direct: return body(values)
        case .survey:
            let (results, lifetimes) = Replay.survey(values, body)
            finishSurvey(key, lifetimes)
            return results
        case .record(let plan):
            let (results, replay) = Replay.recording(values, in: plan, body)
            finish(key, replay)
            return results
        case .replay(let replay):
            let results = replay(values)
            finish(key, replay)
            return results
        }
    }

    private func course(_ key: Key) -> Course {
        state.withLock { state in
            state.callCount += 1
            if state.entries[key] == nil, state.entries.count >= Self.entryLimit { state.entries = [:] }
            var entry = state.entries[key] ?? Entry()
            entry.lastUse = state.callCount
            defer { state.entries[key] = entry }
            guard entry.refusalCount < Self.toleratedRefusals else { return .direct }
            while let replay = entry.idle.popLast() {
                guard !replay.isOutdated else { continue }
                state.replayCount += 1
                return .replay(replay)
            }
            return entry.plan.map(Course.record) ?? .survey
        }
    }

    private func finishSurvey(
        _ key: Key, _ lifetimes: Result<[StepRecorder.Lifetime], StepRecorder.Refusal>
    ) {
        let plan = try? lifetimes.map(ArenaPlan.init).get()
        state.withLock { state in
            if let plan {
                state.entries[key]?.plan = plan
            } else {
                state.entries[key]?.refusalCount += 1
            }
        }
        // The arena takes the place of the blocks that the survey took one by one.
        if plan != nil { StorageCache.shared.trim() }
    }

    /// Puts a recording back for the next call, or notes that there is none.
    private func finish(_ key: Key, _ replay: Replay?) {
        state.withLock { state in
            guard let replay else {
                state.entries[key]?.refusalCount += 1
                state.entries[key]?.plan = nil
                return
            }
            state.entries[key]?.idle.append(replay)
            Self.forgetOldest(&state, but: key)
        }
    }

    private static func forgetOldest(_ state: inout State, but key: Key) {
        func byteCount() -> Int {
            state.entries.reduce(0) { sum, entry in
                entry.key == key ? sum : sum + entry.value.idle.reduce(0) { $0 + $1.byteCount }
            }
        }
        while byteCount() > idleLimit {
            let oldest = state.entries.filter { $0.key != key && !$0.value.idle.isEmpty }
                .min { $0.value.lastUse < $1.value.lastUse }
            guard let oldest,
                byteCount() > totalLimit || oldest.value.lastUse < state.callCount - latestCalls
            else { return }
            state.entries[oldest.key]?.idle = []
        }
    }
}
