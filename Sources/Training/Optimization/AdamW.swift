import Layers
import Tensors

/// AdamW (arXiv 1711.05101) with the moving average of the weights kept in the same pass over memory.
///
/// Weights are changed in place: the model built from the same store computes with the new values at once.
public final class AdamW {
    public let parameters: [(name: String, tensor: Tensor)]
    /// What the network keeps beside its parameters (running statistics): saved and exported, changed by the network.
    public let buffers: [(name: String, tensor: Tensor)]
    private let first: [Tensor]
    private let second: [Tensor]
    private let average: [Tensor]
    /// Updates made so far.
    public private(set) var stepCount = 0

    /// Moments begin at zero, the average as a copy of the weights.
    public init(_ store: ParameterStore) {
        parameters = store.all
        buffers = store.buffers
        first = parameters.map { .zeros($0.tensor.shape) }
        second = parameters.map { .zeros($0.tensor.shape) }
        average = parameters.map { Tensor(shape: $0.tensor.shape, scalars: $0.tensor.scalars) }
    }

    /// The averaged weights under the parameters' names, and the buffers as they are, sharing storage: they follow
    /// every later update.
    public var averagedParameters: [String: Tensor] {
        let weights = zip(parameters.map(\.name), average)
        return Dictionary(uniqueKeysWithValues: Array(weights) + buffers.map { ($0.name, $0.tensor) })
    }

    /// One update.
    /// - Parameters:
    ///   - gradients: one per parameter, in order; nil leaves the parameter (and its moments) as if it were zero.
    ///   - settings: `step` is filled in here.
    ///   - rateFactor: of a parameter's learning rate, by name.
    public func update(
        _ gradients: [Tensor?], _ settings: AdamWStep, rateFactor: (String) -> Float = { _ in 1 }
    ) {
        stepCount += 1
        var settings = settings
        settings.step = stepCount
        for (index, parameter) in parameters.enumerated() {
            let gradient = gradients[index] ?? .zeros(parameter.tensor.shape)
            var own = settings
            own.learningRate *= rateFactor(parameter.name)
            Tensor.updateAdamW(
                parameter.tensor, gradient: gradient, first: first[index], second: second[index],
                average: average[index], own)
        }
    }

    /// Everything a resumed run needs, by state name: `model.*`, `ema.*`, `optimizer.m.*`, `optimizer.v.*`. Buffers
    /// stand under the first two, so that each of them is a whole network.
    public var state: [(name: String, tensor: Tensor)] {
        func named(_ prefix: String, _ tensors: [Tensor]) -> [(String, Tensor)] {
            zip(parameters, tensors).map { (prefix + $0.name, $1.detached) }
        }
        let kept = ["model.", "ema."].flatMap { prefix in buffers.map { (prefix + $0.name, $0.tensor) } }
        return named("model.", parameters.map(\.tensor)) + named("ema.", average)
            + named("optimizer.m.", first) + named("optimizer.v.", second) + kept
    }

    /// Puts a saved state back, in place.
    /// - Throws: `ParameterMismatch` when a tensor is missing or has another shape; nothing is changed then.
    public func restore(stepCount: Int, _ saved: (String) throws -> Tensor?) throws {
        var missing: [String] = []
        var misshapen: [ParameterMismatch.Misshapen] = []
        var found: [(Tensor, Tensor)] = []
        for (name, tensor) in state {
            guard let value = try saved(name) else {
                missing.append(name)
                continue
            }
            if value.shape == tensor.shape {
                found.append((tensor, value))
            } else {
                misshapen.append(.init(name: name, found: value.shape, needed: tensor.shape))
            }
        }
        guard missing.isEmpty, misshapen.isEmpty else {
            throw ParameterMismatch(missing: missing, unexpected: [], misshapen: misshapen)
        }
        for (target, value) in found { target.assign(value) }
        self.stepCount = stepCount
    }
}
