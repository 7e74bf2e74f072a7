import Layers
import Tensors

/// NAFNet (arXiv 2204.04676; megvii-research/NAFNet, `NAFNet_arch.py`): a U of `NAFBlock`s, skips by addition, the
/// result added to the input. With a tunable kernel it is the tunable NAFNet of arXiv 2304.00898.
///
/// Any size: the right and the bottom are padded with zeros, which enter the channel means as they do in the original.
public struct NAFNet: ImageRestorer {
    public let configuration: NAFNetConfiguration
    private let intro: Convolution
    private let encoders: [[NAFBlock]]
    private let downs: [Convolution]
    private let middle: [NAFBlock]
    private let ups: [Convolution]
    private let decoders: [[NAFBlock]]
    private let ending: Convolution

    /// Takes every parameter from `scope`; the caller validates the store afterwards.
    public init(_ scope: Scope, _ configuration: NAFNetConfiguration) {
        self.configuration = configuration
        let (w, form) = (configuration.width, configuration.kernel)
        let levels = configuration.encoderBlocks.count
        func convolution(
            _ scope: Scope, _ inputs: Int, _ outputs: Int, kernel: Int, stride: Int = 1, hasBias: Bool = true
        ) -> Convolution {
            let fan = Initializer.fanIn(inputs * kernel * kernel)
            return Convolution(
                scope, inputs, outputs, kernel: kernel, stride: stride, padding: stride > 1 ? 0 : nil,
                hasBias: hasBias, form: form, weight: fan, bias: fan)
        }
        func blocks(_ scope: Scope, _ count: Int, level: Int) -> [NAFBlock] {
            (0..<count).map {
                NAFBlock(
                    scope / $0, channels: w << level, mixerExpansion: configuration.mixerExpansion,
                    feedForwardExpansion: configuration.feedForwardExpansion, kernel: form)
            }
        }
        intro = convolution(scope / "intro", configuration.imageChannels, w, kernel: 3)
        encoders = (0..<levels).map {
            blocks(scope / "encoders" / $0, configuration.encoderBlocks[$0], level: $0)
        }
        downs = (0..<levels).map {
            convolution(scope / "downs" / $0, w << $0, w << ($0 + 1), kernel: 2, stride: 2)
        }
        middle = blocks(scope / "middle_blks", configuration.middleBlocks, level: levels)
        ups = (0..<levels).map { step in
            let up = scope / "ups" / step
            let channels = w << (levels - step)
            return convolution(
                form.kind == .tunable ? up : up / 0, channels, 2 * channels, kernel: 1, hasBias: false)
        }
        decoders = (0..<levels).map {
            blocks(scope / "decoders" / $0, configuration.decoderBlocks[$0], level: levels - 1 - $0)
        }
        ending = convolution(scope / "ending", w, configuration.imageChannels, kernel: 3)
    }

    public var imageChannels: Int { configuration.imageChannels }
    public var tuningCount: Int { configuration.kernel.tuningCount }

    public func restore(_ noisy: Tensor, _ condition: RestorationCondition, isTraining: Bool) -> Tensor {
        callAsFunction(noisy, tuning: condition.tuning, isTraining: isTraining)
    }

    /// - Parameters:
    ///   - x: `[N, H, W, C]`.
    ///   - tuning: `[N, P]` or `[1, P]` for a tunable kernel.
    ///   - isTraining: global means even where the configuration has local ones for inference.
    public func callAsFunction(_ x: Tensor, tuning: Tensor? = nil, isTraining: Bool = false) -> Tensor {
        precondition(
            x.shape.rank == 4 && x.shape[3] == imageChannels,
            "NAFNet takes \(imageChannels) channels, not \(x.shape)")
        let (height, width, multiple) = (x.shape[1], x.shape[2], configuration.sizeMultiple)
        let input = x.padded(
            bottom: (multiple - height % multiple) % multiple, right: (multiple - width % multiple) % multiple
        )
        func run(_ blocks: [NAFBlock], _ h: Tensor, level: Int) -> Tensor {
            let box = isTraining ? nil : configuration.localBox(level: level)
            return blocks.reduce(h) { $1($0, tuning: tuning, box: box) }
        }

        var h = intro(input, tuning: tuning)
        var skips: [Tensor] = []
        for (level, blocks) in encoders.enumerated() {
            h = run(blocks, h, level: level)
            skips.append(h)
            h = downs[level](h, tuning: tuning)
        }
        h = run(middle, h, level: encoders.count)
        for (step, blocks) in decoders.enumerated() {
            let level = encoders.count - 1 - step
            h = ups[step](h, tuning: tuning).pixelShuffled(by: 2) + skips[level]
            h = run(blocks, h, level: level)
        }
        return (ending(h, tuning: tuning) + input).cropped(rows: 0..<height, columns: 0..<width)
    }
}
