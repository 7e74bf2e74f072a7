import Autoregression
import Backbones
import Diffusion
import Layers
import Tensors
import Training

/// What a LINA learns from a batch: the values of hidden tokens, from the visible ones and the label or prompt.
public struct MaskedTask: TrainingTask {
    public let model: LINA
    public let objective: any MaskedObjective
    /// Of a model that reads prompts: what the labels count.
    public let prompts: PromptList?
    public let seed: UInt64

    public init(
        model: LINA, objective: any MaskedObjective = MaskedFlowObjective(), prompts: PromptList? = nil,
        seed: UInt64
    ) {
        self.model = model
        self.objective = objective
        self.prompts = prompts
        self.seed = seed
    }

    public func evaluate(_ batch: ImageBatch, step: Int, first: Int = 0) -> BatchEvaluation {
        let configuration = model.configuration
        let places = first..<first + batch.images.shape[0]
        let dropout = RandomStream(seed: seed).stream(named: "label dropout").stream(UInt64(step))
        let labels = zip(places, batch.labels).map { place, label in
            dropout.uniformDouble(at: UInt64(place)) < configuration.conditionDropout ? nil : label
        }
        return objective.evaluation(
            model, tokens: PatchEmbedding.tokens(of: batch.images, patchSize: configuration.patchSize),
            condition: condition(labels), samples: places,
            stream: RandomStream(seed: seed).stream(named: "masked flow").stream(UInt64(step)))
    }
}

extension MaskedTask {
    private func condition(_ labels: [Int?]) -> Tensor {
        guard let prompts else { return model.condition(labels: labels) }
        return model.condition(prompts: labels.map { $0.map { prompts[$0] } })
    }
}

/// A loss of hidden tokens, given the visible ones.
public protocol MaskedObjective: Sendable {
    /// - Parameters:
    ///   - tokens: the images', `[N, n, w]`.
    ///   - condition: the predictor's.
    ///   - samples: places of the images in the step's whole batch.
    ///   - stream: what the step draws from.
    func evaluation(
        _ predictor: any MaskedTokenPredictor, tokens: Tensor, condition: Tensor, samples: Range<Int>,
        stream: RandomStream
    ) -> BatchEvaluation
}

extension MaskedFlowObjective: MaskedObjective {
    public func evaluation(
        _ predictor: any MaskedTokenPredictor, tokens: Tensor, condition: Tensor, samples: Range<Int>,
        stream: RandomStream
    ) -> BatchEvaluation {
        let draw = draw(samples: samples, tokens: tokens.shape[1], width: tokens.shape[2], from: stream)
        let loss = evaluate(predictor, tokens: tokens, condition: condition, draw: draw).loss
        return BatchEvaluation(loss: Double(loss.item), parts: [:], gradients: loss.gradients())
    }
}

/// Training by masked autoregression with any objective of diffusion for the head (MAR's diffusion loss, arXiv
/// 2406.11838, with learned variance): every hidden token is a sample of its own.
public struct MaskedDiffusionObjective: MaskedObjective {
    public var head: any Objective
    public var ratio: MaskRatio
    /// How often the head sees each feature, with fresh noise.
    public var repeats: Int

    public init(head: any Objective, ratio: MaskRatio = MaskRatio(), repeats: Int = 4) {
        self.head = head
        self.ratio = ratio
        self.repeats = repeats
    }

    public func evaluation(
        _ predictor: any MaskedTokenPredictor, tokens: Tensor, condition: Tensor, samples: Range<Int>,
        stream: RandomStream
    ) -> BatchEvaluation {
        let (output, loss) = evaluate(
            predictor, tokens: tokens, condition: condition, samples: Array(samples), stream: stream)
        return BatchEvaluation(
            loss: loss.mean, parts: loss.parts.mapValues { $0.reduce(0, +) / Double(max(1, $0.count)) },
            gradients: output.gradients(cotangent: loss.gradient))
    }

    /// The head's answers to noisy hidden tokens, one row each, and what they cost.
    /// - Parameters:
    ///   - samples: places of the images in the step's whole batch.
    ///   - weight: cotangent of the mean loss.
    func evaluate(
        _ predictor: any MaskedTokenPredictor, tokens: Tensor, condition: Tensor, samples: [Int],
        stream: RandomStream, weight: Double = 1
    ) -> (output: Tensor, loss: LossEvaluation) {
        let (count, width) = (tokens.shape[1], tokens.shape[2])
        let visible = ratio.visible(samples: samples, tokens: count, from: stream)
        let all = MaskedFlowObjective.hidden(visible, tokens: count, repeats: repeats)
        let clean = tokens.detached.repeatedSamples(repeats).gatheringTokenRows(all)
        let example = head.example(
            clean: clean, draw: Self.draw(all, samples: samples, width: width, from: stream))
        let features = predictor.features(of: tokens, visible: visible, condition: condition)
        let output = predictor.head(
            example.input, time: example.time,
            condition: predictor.headCondition(features.repeatedSamples(repeats).gatheringTokenRows(all)))
        let rows = output.shape[0]
        return (
            output,
            head.evaluate(
                output: output.detached, example: example,
                weights: Array(repeating: weight / Double(rows), count: rows))
        )
    }

    /// A token's numbers depend on its image's place, the repeat and its own index only.
    private static func draw(
        _ all: [[Int]], samples: [Int], width: Int, from stream: RandomStream
    ) -> TrainingDraw {
        func streams(_ name: String, _ list: Int) -> RandomStream {
            let (pass, sample) = (list / samples.count, samples[list % samples.count])
            return stream.stream(named: name).stream(UInt64(pass)).stream(UInt64(sample))
        }
        let rows = all.enumerated().flatMap { list, indices -> [Tensor] in
            let noise = streams("noise", list)
            return indices.map { noise.normals([1, width], from: UInt64($0 * width)) }
        }
        func numbers(_ name: String, _ number: (RandomStream, UInt64) -> Double) -> [Double] {
            all.enumerated().flatMap { list, indices in
                let stream = streams(name, list)
                return indices.map { number(stream, UInt64($0)) }
            }
        }
        return TrainingDraw(
            noise: .concatenateSamples(rows), uniform: numbers("uniform") { $0.uniformDouble(at: $1) },
            normal: numbers("normal") { Double($0.normal(at: $1)) })
    }
}
