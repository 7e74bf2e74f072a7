/// A function's steps for inputs of one shape, with all the memory that they need. For one thread at a time.
final class Replay: @unchecked Sendable {
    private let arena: Arena
    private let steps: [() -> Void]
    private let dependencies: [(storage: Storage, version: Int)]
    private let inputs: [Tensor]
    private let outputs: [Tensor]

    /// Holds the constants.
    private let recorder: StepRecorder

    /// The lifetimes of everything that a run of `body` allocates, its inputs' places first.
    static func survey(_ inputs: [Tensor], _ body: ([Tensor]) -> [Tensor]) -> (
        results: [Tensor], Result<[StepRecorder.Lifetime], StepRecorder.Refusal>
    ) {
        let recorder = StepRecorder()
        let (places, outputs) = run(body, on: inputs, under: recorder)
        // Inputs' places and results are still held here, so that nothing is planned over them.
        let lifetimes = recorder.surveyed
        return withExtendedLifetime(places) {
            (outputs.map(\.duplicate), recorder.refusal.map(Result.failure) ?? .success(lifetimes))
        }
    }

    /// A run of `body` that keeps its steps.
    /// - Returns: the results of this run, and what replays it, if it can be.
    static func recording(
        _ inputs: [Tensor], in plan: ArenaPlan, _ body: ([Tensor]) -> [Tensor]
    ) -> (results: [Tensor], replay: Replay?) {
        let arena = Arena(plan)
        let recorder = StepRecorder(into: arena)
        let (places, outputs) = run(body, on: inputs, under: recorder)
        let results = outputs.map(\.duplicate)
        guard recorder.isComplete else { return (results, nil) }
        return (results, Replay(arena, recorder, inputs: places, outputs: outputs))
    }

    /// Copies the inputs to places of their own and calls `body` on these.
    private static func run(
        _ body: ([Tensor]) -> [Tensor], on inputs: [Tensor], under recorder: StepRecorder
    ) -> (places: [Tensor], outputs: [Tensor]) {
        recorder.watch {
            let places = inputs.map { Tensor.uninitialized($0.shape) }
            StepRecorder.suspended {
                for (place, input) in zip(places, inputs) { place.overwrite(with: input) }
            }
            return (places, body(places).map(\.detached))
        }
    }

    private init(_ arena: Arena, _ recorder: StepRecorder, inputs: [Tensor], outputs: [Tensor]) {
        (self.arena, self.inputs, self.outputs) = (arena, inputs, outputs)
        (steps, dependencies) = (recorder.steps, recorder.dependencies)
        self.recorder = recorder
    }

    var byteCount: Int { arena.plan.byteCount }
    var stepCount: Int { steps.count }

    /// Whether weights changed since they were packed.
    var isOutdated: Bool { dependencies.contains { $0.storage.version != $0.version } }

    func callAsFunction(_ values: [Tensor]) -> [Tensor] {
        for (place, value) in zip(inputs, values) { place.overwrite(with: value) }
        for step in steps { step() }
        return outputs.map(\.duplicate)
    }
}

extension Tensor {
    /// Copies another tensor's scalars into this one's memory, which nobody else knows yet or any more.
    fileprivate func overwrite(with other: Tensor) {
        storage.floats(offset: offset).update(from: other.base, count: elementCount)
    }

    /// The same scalars in memory of their own.
    fileprivate var duplicate: Tensor {
        let result = Tensor.uninitialized(shape)
        result.overwrite(with: self)
        return result
    }
}
