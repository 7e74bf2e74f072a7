import Layers
import Tensors

/// Generation by masked autoregression, one step at a time.
///
/// A run is a sequence, so that progress, previews and stopping early are the caller's loop. Tokens once drawn never
/// change.
public struct MaskedRun: Sequence, Sendable {
    public struct Step: Sendable {
        public var index: Int
        public var count: Int
        /// Tokens drawn in this step, by sample.
        public var drawn: [[Int]]
        public var guidance: Double
        /// `[N, n, D]`, or `[2N, n, D]` with guidance: conditional samples first.
        public var features: Tensor
        /// All tokens so far `[N, n, w]`, zero where unknown.
        public var tokens: Tensor
    }

    let predictor: any MaskedTokenPredictor
    let sampler: any TokenSampler
    let condition: Tensor
    let reference: Tensor?
    let plan: [[[Int]]]
    let guidance: [Double]
    let noise: @Sendable (_ step: Int, _ tokens: [[Int]]) -> any TokenNoise

    /// - Parameters:
    ///   - condition: the predictor's, for N samples.
    ///   - reference: the same without label or prompt, for guidance; nil without guidance.
    ///   - plan: tokens of each step by sample (`MaskSchedule.plan`); each token once, equally many of every sample.
    ///   - guidance: scale of each step.
    ///   - noise: the random numbers of a step's tokens, sample after sample in the order of the lists.
    public init(
        _ predictor: any MaskedTokenPredictor, sampler: any TokenSampler, condition: Tensor,
        reference: Tensor?,
        plan: [[[Int]]], guidance: [Double],
        noise: @escaping @Sendable (_ step: Int, _ tokens: [[Int]]) -> any TokenNoise
    ) {
        precondition(
            guidance.count == plan.count, "\(guidance.count) guidance scales for \(plan.count) steps")
        self.predictor = predictor
        self.sampler = sampler
        self.condition = condition
        self.reference = reference
        self.plan = plan
        self.guidance = guidance
        self.noise = noise
    }

    /// All tokens, `[N, n, w]`.
    public func finished() -> Tensor {
        var tokens = emptyTokens
        for step in self { tokens = step.tokens }
        return tokens
    }

    private var emptyTokens: Tensor {
        .zeros([plan.first?.count ?? condition.shape[0], predictor.tokenGrid.count, predictor.tokenWidth])
    }

    public func makeIterator() -> Iterator { Iterator(self) }

    public struct Iterator: IteratorProtocol, Sendable {
        private let run: MaskedRun
        private var index = 0
        private var tokens: Tensor
        private var known: [[Int]]

        init(_ run: MaskedRun) {
            self.run = run
            tokens = run.emptyTokens
            known = Array(repeating: [], count: tokens.shape[0])
        }

        public mutating func next() -> Step? {
            // Steps without a token change nothing.
            while index < run.plan.count, run.plan[index].allSatisfy(\.isEmpty) { index += 1 }
            guard index < run.plan.count else { return nil }
            let drawn = run.plan[index]
            let features = run.features(tokens, known)
            let samples = tokens.shape[0]
            let rows = features.samples(0..<samples).gatheringTokenRows(drawn)
            let reference = run.reference.map { _ in
                features.samples(samples..<2 * samples).gatheringTokenRows(drawn)
            }
            let values = run.sampler.sample(
                features: rows, reference: reference, guidance: run.guidance[index], of: run.predictor,
                noise: run.noise(index, drawn))
            tokens = tokens.replacingTokens(drawn, with: values.detached)
            known = zip(known, drawn).map { $0 + $1 }
            defer { index += 1 }
            return Step(
                index: index, count: run.plan.count, drawn: drawn, guidance: run.guidance[index],
                features: features,
                tokens: tokens)
        }
    }

    private func features(_ tokens: Tensor, _ known: [[Int]]) -> Tensor {
        guard let reference else {
            return predictor.features(of: tokens, visible: known, condition: condition)
        }
        return predictor.features(
            of: .concatenateSamples([tokens, tokens]), visible: known + known,
            condition: .concatenateSamples([condition, reference]))
    }
}

/// Noise that depends on an image's own seed, the step and the token only: not on the batch it is made in.
public struct SeededTokenNoise: TokenNoise {
    private let streams: [RandomStream]
    private let tokens: [[Int]]

    /// - Parameters:
    ///   - seeds: one per sample.
    ///   - tokens: what the step draws, by sample.
    public init(seeds: [UInt64], step: Int, tokens: [[Int]]) {
        streams = seeds.map { RandomStream(seed: $0).stream(named: "token noise").stream(UInt64(step)) }
        self.tokens = tokens
    }

    public func draw(_ index: Int, shape: Shape) -> Tensor {
        let width = shape[1]
        let rows = zip(streams, tokens).flatMap { stream, list -> [Tensor] in
            let draw = stream.stream(UInt64(index))
            return list.map { draw.normals([1, width], from: UInt64($0 * width)) }
        }
        return rows.isEmpty ? .zeros(shape) : .concatenateSamples(rows)
    }
}
