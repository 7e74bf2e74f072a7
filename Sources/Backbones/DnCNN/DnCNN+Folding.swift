import Layers
import Tensors

// A trained DnCNN turned into the chain of convolutions that inference needs.
extension DnCNNConfiguration {
    /// The same network without batch normalisation and densities, and its parameters.
    ///
    /// With s = γ/√(running variance + ε): W′ = W·s per output channel, b′ = (b − running mean)·s + β. The result has
    /// KAIR's names without gaps (`model.0`, `model.2`, …), as its published merged files do.
    /// - Throws: `ParameterMismatch` when the parameters are not this configuration's.
    public func folded(_ parameters: [String: Tensor]) throws -> (DnCNNConfiguration, [String: Tensor]) {
        let store = ParameterStore(.loaded(parameters), isTracked: false)
        _ = DnCNN(store.scope, self)
        try store.validate()
        let plain = ConvolutionKernel.foldingDensities(parameters)
        var result: [String: Tensor] = [:]
        for layer in 0..<depth {
            let index = layout.convolutionIndex(layer)
            let name = "\(dialect.prefix).\(index)"
            guard var weight = plain[name + ".weight"]?.detached else { continue }
            var bias = plain[name + ".bias"]?.detached ?? .zeros([weight.shape[0]])
            let norm = "\(dialect.prefix).\(index + 1)"
            if hasBatchNorm, let gamma = plain[norm + ".weight"], let beta = plain[norm + ".bias"],
                let mean = plain[norm + ".running_mean"], let variance = plain[norm + ".running_var"]
            {
                let scale = gamma.detached / (variance + batchNormEpsilon).squareRoot
                let columns = weight.elementCount / weight.shape[0]
                weight = Self.scaledRows(weight.reshaped([weight.shape[0], columns]), by: scale)
                    .reshaped(weight.shape)
                bias = (bias - mean) * scale + beta.detached
            }
            result["model.\(2 * layer).weight"] = weight
            result["model.\(2 * layer).bias"] = bias
        }
        var configuration = self
        configuration.hasBatchNorm = false
        configuration.dialect = .kair
        if case .weighted = kernel { configuration.kernel = .standard }
        return (configuration, result)
    }

    private static func scaledRows(_ matrix: Tensor, by scale: Tensor) -> Tensor {
        let result = matrix.copied
        let factors = scale.scalars
        result.withMutableScalars { scalars in
            for index in scalars.indices { scalars[index] *= factors[index / matrix.shape[1]] }
        }
        return result
    }

    /// Parameters of a chain without normalisation numbered without gaps: KAIR's routine that merges normalisations
    /// leaves 0, 2, 5, 8, …, its published files have 0, 2, 4, ….
    public static func renumbered(_ parameters: [String: Tensor]) -> [String: Tensor] {
        let indices = Set(parameters.keys.compactMap(layerIndex)).sorted()
        let layer = Dictionary(uniqueKeysWithValues: indices.enumerated().map { ($1, $0) })
        var result: [String: Tensor] = [:]
        for (name, tensor) in parameters {
            var parts = name.split(separator: ".").map(String.init)
            if let index = layerIndex(name), let layer = layer[index] { parts[1] = String(2 * layer) }
            result[parts.joined(separator: ".")] = tensor
        }
        return result
    }

    static func layerIndex(_ name: String) -> Int? {
        let parts = name.split(separator: ".")
        return parts.count == 3 ? Int(parts[1]) : nil
    }
}
