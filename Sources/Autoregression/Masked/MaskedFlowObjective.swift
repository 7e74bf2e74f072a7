import Layers
import Tensors

/// Training by masked autoregression with a flow-matching head: the visible tokens of an image must tell the velocities
/// of the others.
public struct MaskedFlowObjective: Codable, Hashable, Sendable {
    public var table: FlowTable
    public var ratio: MaskRatio
    /// How often the head sees each feature, with fresh noise.
    public var repeats: Int

    public init(table: FlowTable = FlowTable(), ratio: MaskRatio = MaskRatio(), repeats: Int = 4) {
        self.table = table
        self.ratio = ratio
        self.repeats = repeats
    }

    /// What one step draws at random.
    public struct Draw: Sendable {
        /// Known tokens of each of N samples, equally many.
        public var visible: [[Int]]
        /// Index into the training levels for each of `repeats`·N·n tokens, repeat after repeat.
        public var levels: [Int]
        /// `[repeats·N, n, w]`.
        public var noise: Tensor

        public init(visible: [[Int]], levels: [Int], noise: Tensor) {
            self.visible = visible
            self.levels = levels
            self.noise = noise
        }
    }

    /// The loss of a batch and what it was made from.
    public struct Evaluation {
        /// Σ m·mean_channels (v̂ − (ε − x))² / (Σ m + 10⁻⁵) over the hidden tokens; `[]`.
        public var loss: Tensor
        /// `[N, n, D]`.
        public var features: Tensor
        /// Velocities of the hidden tokens, repeat after repeat, sample after sample, by index: `[R, w]`.
        public var velocities: Tensor
    }

    /// Draws for the samples at the given places of a step's whole batch: a batch that is split draws the same numbers.
    public func draw(samples: Range<Int>, tokens: Int, width: Int, from stream: RandomStream) -> Draw {
        let pairs = (0..<repeats).flatMap { pass in samples.map { (UInt64(pass), UInt64($0)) } }
        func streams(_ name: String) -> [RandomStream] {
            let named = stream.stream(named: name)
            return pairs.map { named.stream($0).stream($1) }
        }
        return Draw(
            visible: ratio.visible(samples: samples, tokens: tokens, from: stream),
            levels: streams("level").flatMap { stream in
                (0..<tokens).map { table.trainingStep(normal: stream.normal(at: UInt64($0))) }
            }, noise: .concatenateSamples(streams("noise").map { $0.normals([1, tokens, width]) }))
    }

    /// - Parameters:
    ///   - tokens: the image's, `[N, n, w]`.
    ///   - condition: the predictor's.
    public func evaluate(
        _ predictor: any MaskedTokenPredictor, tokens: Tensor, condition: Tensor, draw: Draw
    ) -> Evaluation {
        let (samples, count, width) = (tokens.shape[0], tokens.shape[1], tokens.shape[2])
        precondition(
            draw.visible.count == samples && draw.levels.count == repeats * samples * count
                && draw.noise.shape == [repeats * samples, count, width],
            "draws for other tokens than \(tokens.shape) in \(repeats) repeats")
        let features = predictor.features(of: tokens, visible: draw.visible, condition: condition)
        let all = Self.hidden(draw.visible, tokens: count, repeats: repeats)
        let sigmas = table.trainingSigmas
        let levels = all.enumerated().flatMap { sample, list in
            list.map { sigmas[draw.levels[sample * count + $0]] }
        }
        // The head runs on hidden tokens alone; the features are repeated as rows.
        let rows = features.repeatedSamples(repeats).gatheringTokenRows(all)
        let clean = tokens.detached.repeatedSamples(repeats).gatheringTokenRows(all)
        let noise = draw.noise.gatheringTokenRows(all)
        let noisy = Self.mix(clean, noise, levels)
        let velocities = predictor.head(
            noisy, time: levels.map(table.time), condition: predictor.headCondition(rows))
        let scale = 1 / (Double(width) * (Double(levels.count) + 1e-5))
        let loss = (velocities - (noise - clean)).squared.sum() * Float(scale)
        return Evaluation(loss: loss, features: features, velocities: velocities)
    }

    /// The tokens that the head learns from by index: what is hidden of every sample, repeat after repeat.
    public static func hidden(_ visible: [[Int]], tokens: Int, repeats: Int) -> [[Int]] {
        let lists = visible.map { list in
            let known = Set(list)
            return (0..<tokens).filter { !known.contains($0) }
        }
        return (0..<repeats).flatMap { _ in lists }
    }

    /// σ·ε + (1 − σ)·x with one level per row.
    public static func mix(_ clean: Tensor, _ noise: Tensor, _ sigmas: [Float]) -> Tensor {
        let shape: Shape = [1, clean.shape[0], clean.shape[1]]
        let sigma = Tensor(shape: [sigmas.count, 1], scalars: sigmas)
        return (noise.reshaped(shape).scaledByHead(sigma) + clean.reshaped(shape).scaledByHead(1 - sigma))
            .reshaped(clean.shape)
    }
}
