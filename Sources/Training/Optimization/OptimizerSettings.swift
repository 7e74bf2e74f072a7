import Foundation
import Layers

/// How weights follow gradients. The defaults are the published DiCo recipe's.
public struct OptimizerSettings: Codable, Hashable, Sendable {
    public var learningRate = 1e-4
    /// Of the trained densities of weighted convolutions (`den`), under the same schedule; absent for `learningRate`.
    /// The published recipe gives them a hundred times the rate of the weights.
    public var densityLearningRate: Double?
    public var beta1 = 0.9
    public var beta2 = 0.999
    public var epsilon = 1e-8
    /// Decoupled weight decay.
    public var weightDecay = 0.0
    /// Gradients are scaled down to this global norm when they are longer; 0 never clips.
    public var clipNorm = 0.0
    /// Batches whose gradients are averaged into one update.
    public var accumulation = 1
    public var schedule = LearningRateSchedule()
    public var average = AverageSettings()

    public init() {}

    public func validate() throws {
        func require(_ condition: Bool, _ field: String, _ demand: String) throws {
            guard condition else { throw ConfigurationError(field: "optimizer." + field, demand: demand) }
        }
        try require(
            learningRate > 0 && learningRate.isFinite, "learningRate", "above 0, found \(learningRate)")
        try require(
            densityLearningRate.map { $0 >= 0 && $0.isFinite } ?? true, "densityLearningRate",
            "at least 0, found \(densityLearningRate ?? 0)")
        try require((0..<1).contains(beta1), "beta1", "at least 0 and below 1, found \(beta1)")
        try require((0..<1).contains(beta2), "beta2", "at least 0 and below 1, found \(beta2)")
        try require(epsilon > 0, "epsilon", "above 0, found \(epsilon)")
        try require(weightDecay >= 0, "weightDecay", "at least 0, found \(weightDecay)")
        try require(clipNorm >= 0, "clipNorm", "at least 0, found \(clipNorm)")
        try require(accumulation >= 1, "accumulation", "at least 1, found \(accumulation)")
        try require(
            schedule.warmupSteps >= 0, "schedule.warmupSteps", "at least 0, found \(schedule.warmupSteps)")
        try require(
            (0...1).contains(schedule.finalFactor), "schedule.finalFactor",
            "in 0…1, found \(schedule.finalFactor)")
        try require(
            (0..<1).contains(average.decay), "average.decay", "at least 0 and below 1, found \(average.decay)"
        )
    }
}

/// The learning rate over a run, as a factor on the configured one.
public struct LearningRateSchedule: Codable, Hashable, Sendable {
    public enum Kind: String, Codable, Hashable, Sendable, CaseIterable { case constant, cosine, linear }

    public var kind = Kind.constant
    /// Steps of linear growth from 0 at the start.
    public var warmupSteps = 0
    /// What is left of the rate at the end of a cosine or linear schedule.
    public var finalFactor = 0.0

    public init(kind: Kind = .constant, warmupSteps: Int = 0, finalFactor: Double = 0) {
        self.kind = kind
        self.warmupSteps = warmupSteps
        self.finalFactor = finalFactor
    }

    /// Factor for the update number `step` (from 1) of `total`.
    public func factor(step: Int, of total: Int) -> Double {
        if step <= warmupSteps { return Double(step) / Double(warmupSteps) }
        let progress = min(1, Double(step - warmupSteps) / Double(max(1, total - warmupSteps)))
        switch kind {
        case .constant: return 1
        case .linear: return 1 + (finalFactor - 1) * progress
        case .cosine: return finalFactor + (1 - finalFactor) * 0.5 * (1 + cos(.pi * progress))
        }
    }
}

/// The moving average of the weights that samples are made from.
public struct AverageSettings: Codable, Hashable, Sendable {
    public var decay = 0.9999
    /// Lets the average forget its beginning faster: decay min(d, (1 + step)/(10 + step)), for short runs.
    public var warmup = false

    public init(decay: Double = 0.9999, warmup: Bool = false) {
        self.decay = decay
        self.warmup = warmup
    }

    public func decay(step: Int) -> Double {
        warmup ? min(decay, Double(1 + step) / Double(10 + step)) : decay
    }
}
