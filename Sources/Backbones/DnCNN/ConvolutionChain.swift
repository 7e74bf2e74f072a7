import Layers
import Tensors

/// A chain of 3×3 convolutions as the DnCNN family has it: convolution and activation, then convolutions with batch
/// normalisation or without, the last one alone.
///
/// Parameters carry the index that PyTorch's `Sequential` counts: without normalisation 0, 2, 4, …; with it
/// 0, then 3l − 1 for the convolution and 3l for the normalisation of layer l.
struct ConvolutionChain: Sendable {
    struct Layout: Sendable, Hashable {
        var inputs: Int
        var outputs: Int
        var width: Int
        var depth: Int
        var hasBatchNorm = false
        var batchNormEpsilon: Float = 1e-4
        var batchNormMomentum: Float = 0.1
        /// Whether every convolution has a bias; otherwise only the first.
        var hasBiases = true
        var activation = ChainActivation.relu
        var kernel = ConvolutionKernel.standard
        var initialDensity: [Float]?
        var initialization: DnCNNConfiguration.Initialization?
        var gain: Float = 1
        var batchNormWeight = Initializer.ones

        func convolutionIndex(_ layer: Int) -> Int { hasBatchNorm ? max(0, 3 * layer - 1) : 2 * layer }
    }

    private let convolutions: [Convolution]
    private let norms: [BatchNorm]
    private let activation: ChainActivation

    init(_ scope: Scope, _ layout: Layout) {
        var convolutions: [Convolution] = []
        var norms: [BatchNorm] = []
        let last = layout.depth - 1
        for layer in 0...last {
            let inputs = layer == 0 ? layout.inputs : layout.width
            let outputs = layer == last ? layout.outputs : layout.width
            let index = layout.convolutionIndex(layer)
            convolutions.append(
                Convolution(
                    scope / index, inputs, outputs, kernel: 3, hasBias: layout.hasBiases || layer == 0,
                    form: layout.kernel, weight: Self.initializer(layout, inputs, outputs)))
            if layout.hasBatchNorm, layer > 0, layer < last {
                norms.append(
                    BatchNorm(
                        scope / (index + 1), channels: outputs, epsilon: layout.batchNormEpsilon,
                        momentum: layout.batchNormMomentum, weight: layout.batchNormWeight))
            }
        }
        self.convolutions = convolutions
        self.norms = norms
        activation = layout.activation
    }

    private static func initializer(_ layout: Layout, _ inputs: Int, _ outputs: Int) -> Initializer {
        // A standard kernel that begins where a weighted one does is drawn as that is.
        let isWeighted = layout.kernel.kind == .weighted || layout.initialDensity != nil
        let drawn: Initializer
        switch layout.initialization ?? (isWeighted ? .kaimingFanOut : .orthogonal) {
        case .orthogonal where layout.kernel.kind == .tunable: drawn = .fanIn(9 * inputs)
        case .orthogonal: drawn = .orthogonal(gain: layout.gain)
        case .kaimingFanOut: drawn = .kaimingNormalFanOut(for: [outputs, inputs, 3, 3])
        }
        return layout.initialDensity.map { .weighted(drawn, KernelDensity($0)) } ?? drawn
    }

    func callAsFunction(_ x: Tensor, tuning: Tensor?, isTraining: Bool) -> Tensor {
        var h = x
        for (layer, convolution) in convolutions.enumerated() {
            let isActivated = layer < convolutions.count - 1
            let isNormalized = layer > 0 && layer <= norms.count
            if isActivated, !isNormalized, activation == .relu {
                h = convolution(h, tuning: tuning, activation: .relu)
                continue
            }
            h = convolution(h, tuning: tuning)
            if isNormalized { h = norms[layer - 1](h, isTraining: isTraining) }
            if isActivated { h = activation(h) }
        }
        return h
    }
}

/// What follows a convolution of a chain.
public enum ChainActivation: String, Sendable, Codable, CaseIterable {
    case relu
    /// Slope 0.2 below zero.
    case leakyRelu

    func callAsFunction(_ x: Tensor) -> Tensor {
        switch self {
        case .relu: Tensors.relu(x)
        case .leakyRelu: Tensors.relu(x) - Tensors.relu(-x) * 0.2
        }
    }
}
