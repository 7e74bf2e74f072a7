/// One step of a run, as the caller sees it.
public struct SamplingStep: Sendable {
    /// 0…count−1.
    public var index: Int
    public var count: Int
    /// The level reached.
    public var level: NoiseLevel
    /// The sample at that level, signal·x₀ + noise·ε; after the last step, the finished sample.
    public var state: Latent
    /// What the model took the finished sample to be when the step began: a preview.
    public var clean: Latent
    /// The guided network output at the start of the step.
    public var output: Latent
}

/// A run from noise to samples, one step at a time.
///
/// A run is a sequence: progress, previews and stopping early are the caller's `for` loop.
/// ```swift
/// for step in SamplingRun(model, solver: DPMSolver(), grid: grid, path: path, noise: noise, shape: shape) {
///     progress.advance()
///     result = step.state
/// }
/// ```
public struct SamplingRun: Sequence, Sendable {
    public let model: GuidedModel
    public let solver: any Solver
    /// N + 1 levels, noisiest first.
    public let grid: [NoiseLevel]
    public let path: any NoisePath
    public let noise: any NoiseSource
    /// The state at the first level, signal·x₀ + noise·ε.
    public let start: Latent

    public init(
        _ model: GuidedModel, solver: any Solver, grid: [NoiseLevel], path: any NoisePath,
        noise: any NoiseSource, start: Latent
    ) {
        precondition(grid.count >= 2, "a run needs at least two noise levels")
        self.model = model
        self.solver = solver
        self.grid = grid
        self.path = path
        self.noise = noise
        self.start = start
    }

    public var stepCount: Int { grid.count - 1 }

    /// The sample after the last step.
    public func finished() -> Latent {
        var state = start
        for step in self { state = step.state }
        return state
    }

    public func makeIterator() -> Iterator { Iterator(self) }

    public struct Iterator: IteratorProtocol {
        private let run: SamplingRun
        private var index = 0
        private var state: Latent
        private var history: [HistoryEntry] = []

        init(_ run: SamplingRun) {
            self.run = run
            let first = run.grid[0]
            state = run.solver.space == .exploding ? (1 / first.signal) * run.start : run.start
        }

        public mutating func next() -> SamplingStep? {
            guard index < run.stepCount else { return nil }
            let result = run.solver.step(state, run.context(index), history)
            state = result.next
            if run.solver.memory > 0 {
                history.insert(result.left, at: 0)
                if history.count > run.solver.memory { history.removeLast() }
            }
            defer { index += 1 }
            let level = run.grid[index + 1]
            return SamplingStep(
                index: index, count: run.stepCount, level: level,
                state: run.solver.space == .exploding ? level.signal * state : state,
                clean: result.left.estimate.clean, output: result.left.estimate.output)
        }
    }

    private func context(_ index: Int) -> StepContext {
        let (model, count, isExploding) = (model, stepCount, solver.space == .exploding)
        let (noise, shape, draws) = (noise, start.shape, solver.drawsPerStep)
        return StepContext(
            index: index, grid: grid, path: path,
            evaluate: { x, level in
                model.estimate(isExploding ? level.signal * x : x, at: level, step: index, of: count)
            },
            noise: { noise.latent(draw: 1 + index * draws + $0, shape: shape) })
    }
}
