import Foundation
import Layers
import Tensors

/// What one batch says: its loss, the loss's named terms, and the gradients of the batch mean.
public struct BatchEvaluation {
    public var loss: Double
    public var parts: [String: Double]
    public var gradients: Gradients

    public init(loss: Double, parts: [String: Double], gradients: Gradients) {
        self.loss = loss
        self.parts = parts
        self.gradients = gradients
    }
}

/// One update as the log sees it.
public struct StepReport: Sendable {
    /// Updates made so far, this one included.
    public var step: Int
    public var loss: Double
    public var parts: [String: Double]
    /// Length of the gradient before clipping.
    public var gradientNorm: Double
    public var learningRate: Double
    public var imageCount: Int
}

/// A value that is not a number, or infinite, and where it appeared first.
public struct NonFiniteError: Error, CustomStringConvertible {
    public var step: Int
    /// "loss", or the gradient of the first parameter that has one.
    public var tensor: String

    public var description: String {
        "step \(step): \(tensor) is not finite; the weights are those before this step, try a lower learning rate or gradient clipping"
    }
}

/// Turns batches into updates; the loop around it belongs to the caller, who logs, samples, saves or stops.
///
/// All state is the optimiser's and `stepCount`; given equal state and batches, updates are equal to the last bit
/// for a given thread count.
public final class Trainer {
    public let optimizer: AdamW
    public let settings: OptimizerSettings
    /// Updates the whole run will make, for the schedule.
    public let totalSteps: Int

    public init(_ store: ParameterStore, settings: OptimizerSettings, totalSteps: Int) {
        optimizer = AdamW(store)
        self.settings = settings
        self.totalSteps = totalSteps
    }

    public var stepCount: Int { optimizer.stepCount }

    /// One update from `settings.accumulation` batches.
    /// - Parameter evaluate: called once per batch with its number within the update.
    /// - Throws: `NonFiniteError` before anything is changed.
    public func step(_ evaluate: (Int) throws -> (BatchEvaluation, imageCount: Int)) throws -> StepReport {
        let step = stepCount + 1
        let count = settings.accumulation
        var sums: [Tensor?] = Array(repeating: nil, count: optimizer.parameters.count)
        var report = StepReport(
            step: step, loss: 0, parts: [:], gradientNorm: 0, learningRate: 0, imageCount: 0)
        for part in 0..<count {
            let (evaluation, imageCount) = try evaluate(part)
            guard evaluation.loss.isFinite else { throw NonFiniteError(step: step, tensor: "the loss") }
            report.loss += evaluation.loss / Double(count)
            report.imageCount += imageCount
            for (name, value) in evaluation.parts { report.parts[name, default: 0] += value / Double(count) }
            for (index, parameter) in optimizer.parameters.enumerated() {
                guard let gradient = evaluation.gradients[parameter.tensor] else { continue }
                // The sum is made in place, in memory that no other gradient shares.
                if let sum = sums[index] {
                    sum.accumulate(gradient)
                } else {
                    sums[index] = count > 1 ? gradient.copied : gradient
                }
            }
        }
        report.gradientNorm = try gradientNorm(sums, step: step) / Double(count)
        let clip = settings.clipNorm
        let scale = clip > 0 && report.gradientNorm > clip ? clip / report.gradientNorm : 1
        report.learningRate = settings.learningRate * settings.schedule.factor(step: step, of: totalSteps)
        let densityFactor = settings.densityLearningRate.map { Float($0 / settings.learningRate) } ?? 1
        optimizer.update(
            sums,
            AdamWStep(
                learningRate: Float(report.learningRate), beta1: Float(settings.beta1),
                beta2: Float(settings.beta2),
                epsilon: Float(settings.epsilon), weightDecay: Float(settings.weightDecay), step: step,
                gradientScale: Float(scale / Double(count)),
                averageDecay: Float(settings.average.decay(step: step))),
            rateFactor: { $0.hasSuffix(".den") ? densityFactor : 1 })
        return report
    }

    private func gradientNorm(_ gradients: [Tensor?], step: Int) throws -> Double {
        var squares = 0.0
        for (parameter, gradient) in zip(optimizer.parameters, gradients) {
            guard let gradient else { continue }
            let square = Tensor.dot(gradient, gradient)
            guard square.isFinite else {
                throw NonFiniteError(step: step, tensor: "the gradient of \(parameter.name)")
            }
            squares += square
        }
        return squares.squareRoot()
    }
}
