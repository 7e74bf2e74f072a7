import Layers
import Tensors

/// DiCo, the fully convolutional diffusion backbone (arXiv 2505.11196; shallowdream204/DiCo, `dico_models.py`).
///
/// A U of three levels with widths D, 2D, 4D; skips by concatenation. Parameter names are the published ones.
/// Height and width must be multiples of `configuration.sizeMultiple`, square or not.
public final class DiCo: ConditionedDenoiser {
    public let configuration: DiCoConfiguration
    private let stem: Convolution
    private let time: [TimestepEmbedder]
    private let label: LabelEmbedder?
    private let encoder1: [DiCoBlock]
    private let down1: Downsample
    private let encoder2: [DiCoBlock]
    private let down2: Downsample
    private let latent: [DiCoBlock]
    private let up2: Upsample
    private let reduce2: Convolution
    private let decoder2: [DiCoBlock]
    private let up1: Upsample
    private let reduce1: Convolution
    private let decoder1: [DiCoBlock]
    private let final: FinalLayer
    /// The conditions of the three levels, `[N, width]` each → what all parts take from them, one after another, `[N, T]`.
    private let modulations: ReplayedFunction

    /// Takes every parameter from `scope`; the caller validates the store afterwards.
    public init(_ scope: Scope, _ configuration: DiCoConfiguration) {
        self.configuration = configuration
        let d = configuration.hiddenSize
        let cell = configuration.patchSize * configuration.patchSize
        let input = configuration.inputChannels * cell

        let form = configuration.kernel
        func blocks(_ name: String, _ stage: Int, width: Int) -> [DiCoBlock] {
            let level = min(stage, 4 - stage)
            return (0..<configuration.depth[stage]).map {
                DiCoBlock(
                    scope / name / $0, channels: width, mlpRatio: configuration.mlpRatio, kernel: form,
                    mixer: { configuration.makeMixer($0, channels: $1, level: level) })
            }
        }
        // The published code draws this kernel as the matrix [D, 9·C].
        stem = Convolution(
            scope / "x_embedder.proj", input, d, kernel: 3, form: form,
            weight: .xavierUniform(fanIn: 9 * input, fanOut: d))
        time = (0..<3).map { TimestepEmbedder(scope / "t_embedder_\($0 + 1)", width: d << $0) }
        label =
            configuration.classCount > 0
            ? LabelEmbedder(
                scope / "y_embedder", classCount: configuration.classCount,
                hasNullClass: configuration.classDropout > 0, widths: [d, 2 * d, 4 * d]) : nil
        encoder1 = blocks("encoder_level_1", 0, width: d)
        down1 = Downsample(scope / "down1_2", channels: d, kernel: form)
        encoder2 = blocks("encoder_level_2", 1, width: 2 * d)
        down2 = Downsample(scope / "down2_3", channels: 2 * d, kernel: form)
        latent = blocks("latent", 2, width: 4 * d)
        up2 = Upsample(scope / "up3_2", channels: 4 * d, kernel: form)
        reduce2 = Convolution(scope / "reduce_chan_level2", 4 * d, 2 * d, kernel: 1, form: form)
        decoder2 = blocks("decoder_level_2", 3, width: 2 * d)
        up1 = Upsample(scope / "up2_1", channels: 2 * d, kernel: form)
        reduce1 = Convolution(scope / "reduce_chan_level1", 2 * d, 2 * d, kernel: 1, form: form)
        decoder1 = blocks("decoder_level_1", 4, width: 2 * d)
        final = FinalLayer(
            scope / "final_layer", channels: 2 * d, outputs: configuration.outputChannels * cell,
            kernel: form)
        let layers =
            zip([encoder1, encoder2, latent, decoder2, decoder1], Self.levels).flatMap { blocks, level in
                blocks.map { ($0.modulation, level) }
            } + [(final.modulation, Self.finalLevel)]
        modulations = ReplayedFunction { conditions in
            let activated = conditions.map(silu)
            return [.concatenateChannels(layers.map { layer, level in layer(activated[level]) })]
        }
    }

    public func predict(_ noisy: Tensor, time times: [Float], labels: [Int?]) -> Tensor {
        predict(noisy, time: times, labels: labels, tuning: nil)
    }

    /// - Parameter tuning: the user's parameters, `[N, P]` or `[1, P]`, which a network of tunable kernels must be
    ///   given.
    public func predict(_ noisy: Tensor, time times: [Float], labels: [Int?], tuning: Tensor?) -> Tensor {
        precondition(
            noisy.shape.rank == 4 && noisy.shape[1] % configuration.sizeMultiple == 0
                && noisy.shape[2] % configuration.sizeMultiple == 0
                && noisy.shape[3] == configuration.inputChannels
                && times.count == noisy.shape[0] && labels.count == noisy.shape[0],
            "DiCo with \(configuration.inputChannels) channels and sizes in multiples of \(configuration.sizeMultiple) was given \(noisy.shape), \(times.count) times, \(labels.count) labels"
        )
        // Vectors are made where they are used: training then keeps them no longer than it must.
        let c = (0..<3).map { condition(times, labels, level: $0) }
        return run(noisy, tuning: tuning) { part in
            switch part {
            case .block(let stage, let index): stages[stage][index].modulationVectors(c[Self.levels[stage]])
            case .final: final.modulationVectors(c[Self.finalLevel])
            }
        }
    }

    public func conditioning(time times: [Float], labels: [Int?]) -> [Tensor] {
        modulations((0..<3).map { condition(times, labels, level: $0).detached })
    }

    public func predict(_ noisy: Tensor, conditioning: [Tensor]) -> Tensor {
        // In the order in which they were made: stage by stage, block by block.
        let vectors = conditioning[0]
        var taken = 0
        func take(_ count: Int, of width: Int) -> [Tensor] {
            (0..<count).map { _ in
                defer { taken += width }
                return vectors.channels(taken..<taken + width)
            }
        }
        return run(noisy, tuning: nil) { part in
            switch part {
            case .block(let stage, _):
                take(DiCoBlock.modulationCount, of: configuration.hiddenSize << Self.levels[stage])
            case .final: take(FinalLayer.modulationCount, of: configuration.hiddenSize << Self.finalLevel)
            }
        }
    }

    /// The level whose condition each stage has. The last stage keeps width 2D at full resolution, and with it the
    /// condition of level 2.
    private static let levels = [0, 1, 2, 1, 1]
    private static let finalLevel = 1

    private var stages: [[DiCoBlock]] { [encoder1, encoder2, latent, decoder2, decoder1] }

    /// What is modulated by the condition.
    private enum ModulatedPart { case block(stage: Int, index: Int), final }

    /// - Parameter modulation: the vectors of a part, made from the condition.
    private func run(_ noisy: Tensor, tuning: Tensor?, modulation: (ModulatedPart) -> [Tensor]) -> Tensor {
        let patch = configuration.patchSize
        func run(_ stage: Int, _ blocks: [DiCoBlock], _ h: Tensor) -> Tensor {
            blocks.indices.reduce(h) { h, index in
                blocks[index](h, modulation: modulation(.block(stage: stage, index: index)), tuning: tuning)
            }
        }
        func joined(_ reduce: Convolution, _ up: Tensor, _ skip: Tensor) -> Tensor {
            reduce(.concatenateChannels([up, skip]), tuning: tuning)
        }
        let x0 = stem(patch > 1 ? noisy.pixelUnshuffled(by: patch) : noisy, tuning: tuning)

        let e1 = run(0, encoder1, x0)
        let e2 = run(1, encoder2, down1(e1, tuning: tuning))
        let z = run(2, latent, down2(e2, tuning: tuning))
        let d2 = run(3, decoder2, joined(reduce2, up2(z, tuning: tuning), e2))
        let d1 = run(4, decoder1, joined(reduce1, up1(d2, tuning: tuning), e1))

        let out = final(d1, modulation: modulation(.final), tuning: tuning)
        return patch > 1 ? out.pixelShuffled(by: patch) : out
    }

    private func condition(_ times: [Float], _ labels: [Int?], level: Int) -> Tensor {
        let c = time[level](times)
        guard let label else { return c }
        return c + label(labels, level: level)
    }
}
