import Foundation

/// How VAR's learning rate falls after its warm-up (FoundationVision/VAR, `utils/lr_control.py`); settings
/// spell it as the released code does: `cos`, `lin`, `lin0`, `lin00`, `lin0.4`, `exp`.
public enum AnnealingShape: Hashable, Sendable {
    case cosine
    /// Full for a share of the time, then straight down.
    case linear(hold: Double)
    /// Straight down to a point halfway up at the given share of the time, then straight down from there.
    case bent(at: Double)
    /// Full for 15 % of the time, then exponentially down.
    case exponential

    public init?(name: String) {
        switch name {
        case "cos": self = .cosine
        case "lin": self = .linear(hold: 0.15)
        case "lin0": self = .linear(hold: 0.05)
        case "lin00": self = .linear(hold: 0)
        case "exp": self = .exponential
        default:
            guard name.hasPrefix("lin"), let share = Double(name.dropFirst(3)), (0..<1).contains(share) else {
                return nil
            }
            self = .bent(at: share)
        }
    }

    /// What is left of the rate after a share of the time behind the warm-up.
    func factor(_ passed: Double, end: Double) -> Double {
        let rest = 1 - passed
        switch self {
        case .cosine: return end + (1 - end) * (0.5 + 0.5 * cos(.pi * passed))
        case .linear(let hold):
            if hold > 0, passed < hold { return 1 }
            return end + (1 - end) * rest / (1 - hold)
        case .bent(let place):
            let middle = (1 + end + (1 - end) * (1 - place)) / 2
            if passed < place { return 1 + (middle - 1) * passed / place }
            return end + (middle - end) * rest / (1 - place)
        case .exponential: return passed < 0.15 ? 1 : exp((passed - 0.15) / 0.85 * log(end))
        }
    }
}

/// Learning rate and weight decay over a run of VAR: linear warm-up, then `shape`; the decay moves by half a
/// cosine.
public struct LevelAnnealing: Hashable, Sendable {
    public var shape: AnnealingShape
    public var warmupSteps: Int
    public var stepCount: Int
    /// Share of the peak rate at the first step, and at the last.
    public var start, end: Double
    public var weightDecay, finalWeightDecay: Double

    public init(
        shape: AnnealingShape, warmupSteps: Int, stepCount: Int, start: Double = 0.005, end: Double = 0.1,
        weightDecay: Double = 0.05, finalWeightDecay: Double = 0.05
    ) {
        self.shape = shape
        self.warmupSteps = warmupSteps
        self.stepCount = stepCount
        self.start = start
        self.end = end
        self.weightDecay = weightDecay
        self.finalWeightDecay = finalWeightDecay
    }

    /// Share of the peak rate at a step, from 0.
    public func rate(at step: Int) -> Double {
        if step < warmupSteps { return start + (1 - start) * Double(step) / Double(warmupSteps) }
        return shape.factor(
            Double(step - warmupSteps) / Double(max(1, stepCount - 1 - warmupSteps)), end: end)
    }

    public func weightDecay(at step: Int) -> Double {
        let passed = Double(step) / Double(max(1, stepCount - 1))
        return finalWeightDecay + (weightDecay - finalWeightDecay) * (0.5 + 0.5 * cos(.pi * passed))
    }
}
