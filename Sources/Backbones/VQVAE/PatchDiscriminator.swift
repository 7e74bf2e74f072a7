import Layers
import Tensors

/// Tells real patches from made ones: pix2pix's PatchGAN (arXiv 1611.07004) as VQGAN uses it.
///
/// Images `[N, H, W, 3]` → one score per patch `[N, h, w, 1]`. Parameters `main.0`, then `main.{2, 5, …}`
/// (convolutions) with `main.{3, 6, …}` (batch norms), and the last convolution.
public struct PatchDiscriminator: Sendable {
    private let input: Convolution
    private let middle: [(convolution: Convolution, norm: BatchNorm)]
    private let output: Convolution

    /// - Parameter layers: convolutions that halve the resolution.
    public init(_ scope: Scope, imageChannels: Int = 3, width: Int = 64, layers: Int = 3) {
        let main = scope / "main"
        let initial = Initializer.normal(standardDeviation: 0.02)
        func convolution(_ index: Int, _ inputs: Int, _ outputs: Int, stride: Int, hasBias: Bool)
            -> Convolution
        {
            Convolution(
                main / index, inputs, outputs, kernel: 4, stride: stride, padding: 1, hasBias: hasBias,
                weight: initial)
        }
        let widths = (0...layers).map { width * min(8, 1 << $0) }
        input = convolution(0, imageChannels, width, stride: 2, hasBias: true)
        var middle: [(convolution: Convolution, norm: BatchNorm)] = []
        for layer in 0..<layers {
            let stride = layer == layers - 1 ? 1 : 2
            let step = convolution(
                3 * layer + 2, widths[layer], widths[layer + 1], stride: stride, hasBias: false)
            middle.append((step, BatchNorm(main / (3 * layer + 3), channels: widths[layer + 1])))
        }
        self.middle = middle
        output = convolution(3 * layers + 2, widths[layers], 1, stride: 1, hasBias: true)
    }

    public func callAsFunction(_ images: Tensor, isTraining: Bool = true) -> Tensor {
        let first = Self.leaky(input(images))
        return output(
            middle.reduce(first) { Self.leaky($1.norm($1.convolution($0), isTraining: isTraining)) })
    }

    private static func leaky(_ x: Tensor) -> Tensor { x * 0.2 + relu(x) * 0.8 }

    /// ½(mean max(0, 1 − real) + mean max(0, 1 + made)): what the discriminator minimises.
    public static func hingeLoss(real: Tensor, made: Tensor) -> Tensor {
        (relu(1 - real).mean() + relu(1 + made).mean()) * 0.5
    }

    /// −mean of the scores of made images: what the autoencoder minimises.
    public static func generatorLoss(made: Tensor) -> Tensor { -made.mean() }
}
