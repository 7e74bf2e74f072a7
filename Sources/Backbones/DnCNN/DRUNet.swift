import Layers
import Tensors

/// DRUNet (arXiv 2008.13751; cszn/KAIR, `network_unet.py`, `UNetRes`): a U of residual blocks, told
/// the noise level as a map. Four widths, halving by strided 2×2 convolutions, skips by addition.
///
/// Parameters `m_head`, `m_down1…3`, `m_body`, `m_up3…1`, `m_tail`, each `.weight`, without biases as published.
public struct DRUNet: ImageRestorer {
    /// What a DRUNet is built from; the defaults are the published ones.
    public struct Configuration: Sendable, Hashable, Codable {
        public var imageChannels = 1
        /// Four widths, full resolution first.
        public var widths = [64, 128, 256, 512]
        /// Residual blocks per level.
        public var blockCount = 4
        /// Whether convolutions have biases; the published ones have none.
        public var hasBiases = false

        public init(imageChannels: Int = 1, widths: [Int] = [64, 128, 256, 512], blockCount: Int = 4) {
            (self.imageChannels, self.widths, self.blockCount) = (imageChannels, widths, blockCount)
        }

        public var parameterShapes: [(name: String, shape: Shape)] {
            let store = ParameterStore(.shapesOnly, isTracked: false)
            _ = DRUNet(store.scope, self)
            return store.shapes
        }
    }

    /// x + Conv·ReLU·Conv.
    private struct ResidualBlock: Sendable {
        let first: Convolution
        let second: Convolution

        init(_ scope: Scope, _ channels: Int, hasBias: Bool) {
            (first, second) = (
                DRUNet.convolution(scope / "res.0", channels, channels, hasBias: hasBias),
                DRUNet.convolution(scope / "res.2", channels, channels, hasBias: hasBias)
            )
        }

        func callAsFunction(_ x: Tensor) -> Tensor { x + second(first(x, activation: .relu)) }
    }

    public let configuration: Configuration
    private let head: Convolution
    private let down: [(blocks: [ResidualBlock], half: Convolution)]
    private let body: [ResidualBlock]
    private let up: [(double: TransposedConvolution, blocks: [ResidualBlock])]
    private let tail: Convolution

    public init(_ scope: Scope, _ configuration: Configuration) {
        self.configuration = configuration
        let (widths, count) = (configuration.widths, configuration.blockCount)
        let hasBias = configuration.hasBiases
        precondition(widths.count == 4, "DRUNet has four widths, not \(widths)")
        head = Self.convolution(
            scope / "m_head", configuration.imageChannels + 1, widths[0], hasBias: hasBias)
        down = (0..<3).map { level in
            let scope = scope / "m_down\(level + 1)"
            return (
                (0..<count).map { ResidualBlock(scope / $0, widths[level], hasBias: hasBias) },
                Convolution(
                    scope / count, widths[level], widths[level + 1], kernel: 2, stride: 2, padding: 0,
                    hasBias: hasBias, weight: .orthogonal(gain: 0.2))
            )
        }
        // The published code gives a sequence of one module no index.
        body = (0..<count).map {
            ResidualBlock(count == 1 ? scope / "m_body" : scope / "m_body" / $0, widths[3], hasBias: hasBias)
        }
        up = (0..<3).map { level in
            let scope = scope / "m_up\(level + 1)"
            return (
                TransposedConvolution(
                    scope / 0, widths[level + 1], widths[level], kernel: 2, stride: 2, hasBias: hasBias,
                    weight: .orthogonal(gain: 0.2)),
                (0..<count).map { ResidualBlock(scope / ($0 + 1), widths[level], hasBias: hasBias) }
            )
        }
        tail = Self.convolution(scope / "m_tail", widths[0], configuration.imageChannels, hasBias: hasBias)
    }

    private static func convolution(_ scope: Scope, _ inputs: Int, _ outputs: Int, hasBias: Bool)
        -> Convolution
    {
        Convolution(scope, inputs, outputs, kernel: 3, hasBias: hasBias, weight: .orthogonal(gain: 0.2))
    }

    public var imageChannels: Int { configuration.imageChannels }
    public var needsNoiseLevel: Bool { true }

    public func restore(_ noisy: Tensor, _ condition: RestorationCondition, isTraining: Bool) -> Tensor {
        guard let level = condition.noiseLevel else { preconditionFailure("DRUNet needs the noise level") }
        let (h, w) = (noisy.shape[1], noisy.shape[2])
        let x = noisy.appendingNoiseLevel(level)
            .padded(bottom: (8 - h % 8) % 8, right: (8 - w % 8) % 8, mode: .replicate)
        return callAsFunction(x).cropped(rows: 0..<h, columns: 0..<w)
    }

    /// - Parameter x: image and noise level, `[N, H, W, C + 1]`, H and W multiples of 8.
    public func callAsFunction(_ x: Tensor) -> Tensor {
        precondition(
            x.shape.rank == 4 && x.shape[1] % 8 == 0 && x.shape[2] % 8 == 0
                && x.shape[3] == imageChannels + 1,
            "DRUNet takes \(imageChannels + 1) channels and sizes in multiples of 8, not \(x.shape)")
        var skips = [head(x)]
        for (blocks, half) in down { skips.append(half(blocks.reduce(skips[skips.count - 1]) { $1($0) })) }
        var h = body.reduce(skips[3]) { $1($0) }
        for level in (0..<3).reversed() {
            let (double, blocks) = up[level]
            h = blocks.reduce(double(h + skips[level + 1])) { $1($0) }
        }
        return tail(h + skips[0])
    }
}
