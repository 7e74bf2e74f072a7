/// A rule that takes a sample from one noise level to the next.
///
/// A solver is a pure value: everything it needs comes in the context, everything it remembers is in the
/// history, so a run can be watched, stopped or repeated at any step.
public protocol Solver: Sendable {
    /// How the solver wants its state.
    var space: StateSpace { get }

    /// How many times per step it may ask for noise.
    var drawsPerStep: Int { get }

    /// How many past steps it looks back on.
    var memory: Int { get }

    /// Advances `x` from `context.from` to `context.to`.
    func step(_ x: Latent, _ context: StepContext, _ history: [HistoryEntry]) -> StepResult
}

extension Solver {
    public var space: StateSpace { .native }
    public var drawsPerStep: Int { 0 }
    public var memory: Int { 0 }
}

/// The coordinates of a solver's state.
public enum StateSpace: Sendable {
    /// a·x₀ + b·ε, as the process has it.
    case native
    /// x₀ + σ·ε: the native state divided by its signal.
    case exploding
}

/// What a solver remembers of a step.
public struct HistoryEntry: Sendable {
    public var level: NoiseLevel
    /// The state at that level (after correction, where the solver corrects).
    public var state: Latent
    public var estimate: Estimate
    /// What an adaptive solver needs to go on where it was.
    public var carry: (any Sendable)?

    public init(level: NoiseLevel, state: Latent, estimate: Estimate, carry: (any Sendable)? = nil) {
        self.level = level
        self.state = state
        self.estimate = estimate
        self.carry = carry
    }
}

/// One step's outcome.
public struct StepResult: Sendable {
    /// The state at the next level.
    public var next: Latent
    /// What the step knew of the level it left; `clean` is the preview of the finished sample.
    public var left: HistoryEntry
}

/// The surroundings of one step.
public struct StepContext: Sendable {
    /// 0 for the first (noisiest) step.
    public let index: Int
    /// N + 1 levels, noisiest first.
    public let grid: [NoiseLevel]
    /// Levels between those of the grid.
    public let path: any NoisePath
    /// The model at any level, for a state in the solver's space.
    public let evaluate: @Sendable (Latent, NoiseLevel) -> Estimate
    /// Standard normal noise; the argument counts the draws within this step.
    public let noise: @Sendable (Int) -> Latent

    public var from: NoiseLevel { grid[index] }
    public var to: NoiseLevel { grid[index + 1] }
    /// N.
    public var count: Int { grid.count - 1 }
    public var isLast: Bool { index == count - 1 }
}
