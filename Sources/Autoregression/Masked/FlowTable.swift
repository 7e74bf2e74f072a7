import Foundation
import Tensors

/// The noise levels of a rectified flow with a discrete training grid (LINA's and NOVA's scheduler). Single precision
/// throughout, as the published models were trained.
public struct FlowTable: Codable, Hashable, Sendable {
    public var trainingSteps: Int
    /// Moves levels towards noise: σ → sσ/(1 + (s − 1)σ).
    public var shift: Double

    public init(trainingSteps: Int = 1000, shift: Double = 1) {
        self.trainingSteps = trainingSteps
        self.shift = shift
    }

    private func shifted(_ sigma: Float) -> Float {
        let s = Float(shift)
        return s * sigma / (1 + (s - 1) * sigma)
    }

    /// σ of every training step, noisiest first.
    public var trainingSigmas: [Float] {
        (0..<trainingSteps).map { shifted(Float(trainingSteps - $0) / Float(trainingSteps)) }
    }

    /// What the network is told of a level.
    public func time(_ sigma: Float) -> Float { sigma * Float(trainingSteps) }

    /// The training step that a standard normal number draws: early and late levels are rare.
    public func trainingStep(normal: Float) -> Int {
        let position = 1 / (1 + exp(-normal)) * Float(trainingSteps)
        return position.isFinite ? min(trainingSteps - 1, Int(position)) : 0
    }

    /// The levels of sampling, noisiest first, ending with 0. The end points are shifted twice, as in the original.
    public func samplingSigmas(steps: Int) -> [Float] {
        let table = trainingSigmas
        guard steps > 0, let first = table.first, let last = table.last else { return [0] }
        let (high, low) = (Double(time(first)), Double(time(last)))
        let spacing = steps > 1 ? (low - high) / Double(steps - 1) : 0
        let sigmas = (0..<steps).map { step -> Float in
            let time = step > 0 && step == steps - 1 ? low : high + Double(step) * spacing
            return shifted(Float(time) / Float(trainingSteps))
        }
        return sigmas + [0]
    }
}
