import Layers
import Tensors

/// Features and time of a token as one vector. Parameters `condition_proj.{fc1, fc2}`, `timestep_proj.{fc1, fc2}`.
public struct TimeConditionEmbedding: Sendable {
    private let condition: [Linear]
    private let time: [Linear]
    private let featureCount: Int

    public init(_ scope: Scope, conditionWidth: Int, width: Int, featureCount: Int = 256) {
        self.featureCount = featureCount
        condition = [
            .uniform(scope / "condition_proj.fc1", conditionWidth, width),
            .uniform(scope / "condition_proj.fc2", width, width),
        ]
        time = [("fc1", featureCount), ("fc2", width)].map { name, inputs in
            Linear(
                scope / "timestep_proj" / name, inputs, width, weight: .normal(standardDeviation: 0.02),
                bias: .fanIn(inputs))
        }
    }

    /// `[R, D]` → `[R, W]`.
    public func condition(_ features: Tensor) -> Tensor { condition[1](silu(condition[0](features))) }

    /// R times in 0…1000 → `[R, W]`; a time that all rows share is embedded once.
    public func time(_ times: [Float]) -> Tensor { time(features: timeFeatures(times), rows: times.count) }

    /// The sinusoids of R times, `[R, F]`, or `[1, F]` where all are the same.
    func timeFeatures(_ times: [Float]) -> Tensor {
        let isShared = times.count > 1 && times.allSatisfy { $0 == times[0] }
        return timestepFeatures(isShared ? [times[0]] : times, count: featureCount)
    }

    /// Those sinusoids → `[R, W]`.
    func time(features: Tensor, rows: Int) -> Tensor {
        let embedded = time[1](silu(time[0](features)))
        guard features.shape[0] < rows else { return embedded }
        return embedded.gatheringRows(Array(repeating: 0, count: rows))
    }
}

/// Modulation from a condition, in LINA's order: LN(x)·(1 + scale) + shift and, with three statistics, a gate.
///
/// Rows `[R, D]`, one condition each. Parameters `proj [statistics·D, D]`.
public struct AdaptiveNorm: Sendable {
    private let projection: Linear
    private let statistics: Int
    private let epsilon: Float

    public init(_ scope: Scope, width: Int, statistics: Int, epsilon: Float = 1e-6) {
        self.statistics = statistics
        self.epsilon = epsilon
        projection = Linear(scope / "proj", width, statistics * width, weight: .zeros)
    }

    public func callAsFunction(_ x: Tensor, condition: Tensor) -> (normal: Tensor, gate: Tensor?) {
        let parts = projection(silu(condition)).chunks(statistics)  // scale, shift, gate
        let rows: Shape = [x.shape[0], 1, x.shape[1]]
        let normal = x.reshaped(rows).layerNorm(shift: parts[1], scale: parts[0], epsilon: epsilon)
        return (normal.reshaped(x.shape), statistics > 2 ? parts[2] : nil)
    }
}

/// LINA's diffusion head: the velocity of a noisy token, from its features and time.
///
/// Parameters `patch_embed.proj`, `time_cond_embed.*`, `blocks.i.{norm1.proj, proj.fc1, proj.fc2, norm2}`, `norm.proj`,
/// `head [p²c, W]`.
public struct FlowHead: Sendable {
    private struct Block: Sendable {
        let modulation: AdaptiveNorm
        let first: Linear
        let second: Linear
        let norm: ChannelNorm

        init(_ scope: Scope, width: Int) {
            modulation = AdaptiveNorm(scope / "norm1", width: width, statistics: 3)
            first = .uniform(scope / "proj.fc1", width, width)
            second = .uniform(scope / "proj.fc2", width, width)
            norm = ChannelNorm(scope / "norm2", channels: width, epsilon: 1e-5)
        }

        func callAsFunction(_ h: Tensor, condition: Tensor) -> Tensor {
            let (u, gate) = modulation(h, condition: condition)
            let branch = norm(second(silu(first(u))))
            return gate.map { branch * $0 + h } ?? branch
        }
    }

    private let patch: PatchEmbedding
    private let embedding: TimeConditionEmbedding
    private let blocks: [Block]
    private let norm: AdaptiveNorm
    private let output: Linear

    public init(
        _ scope: Scope, channels: Int, patchSize: Int, conditionWidth: Int, width: Int, depth: Int,
        featureCount: Int = 256
    ) {
        patch = PatchEmbedding(
            scope / "patch_embed", channels: channels, width: width, patchSize: patchSize, bias: .zeros)
        embedding = TimeConditionEmbedding(
            scope / "time_cond_embed", conditionWidth: conditionWidth, width: width,
            featureCount: featureCount)
        blocks = (0..<depth).map { Block(scope / "blocks" / $0, width: width) }
        norm = AdaptiveNorm(scope / "norm", width: width, statistics: 2)
        output = Linear(scope / "head", width, channels * patchSize * patchSize, weight: .zeros)
    }

    /// The part of the condition that does not depend on time, `[R, D]` → `[R, W]`.
    public func condition(_ features: Tensor) -> Tensor { embedding.condition(features) }

    /// Velocities of noisy tokens `[R, p²c]` at R times.
    public func callAsFunction(_ noisy: Tensor, time: [Float], condition: Tensor) -> Tensor {
        precondition(
            time.count == noisy.shape[0] && condition.shape[0] == noisy.shape[0],
            "\(noisy.shape[0]) tokens with \(time.count) times and \(condition.shape[0]) conditions")
        return self(noisy, timeFeatures: timeFeatures(time), condition: condition)
    }

    func timeFeatures(_ times: [Float]) -> Tensor { embedding.timeFeatures(times) }

    var isTracked: Bool { output.weight.isTracked }

    func callAsFunction(_ noisy: Tensor, timeFeatures: Tensor, condition: Tensor) -> Tensor {
        let y = condition + embedding.time(features: timeFeatures, rows: noisy.shape[0])
        let h = blocks.reduce(patch(noisy)) { $1($0, condition: y) }
        return output(norm(h, condition: y).normal)
    }
}
