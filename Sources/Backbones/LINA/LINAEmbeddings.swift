import Foundation
import Layers
import Tensors

/// Fixed sines and cosines of column and row: channels [sin w·f | cos w·f | sin h·f | cos h·f], f_k = 10000^(−k/(D/4)),
/// `[H·W, D]`.
public func gridPositionTable(_ grid: TokenGrid, width: Int) -> Tensor {
    let quarter = width / 4
    let frequencies = (0..<quarter).map { 1 / pow(Float(10_000), Float($0) / Float(quarter)) }
    var scalars: [Float] = []
    scalars.reserveCapacity(grid.count * width)
    for h in 0..<grid.height {
        for w in 0..<grid.width {
            for position in [Float(w), Float(h)] {
                scalars += frequencies.map { sin(position * $0) }
                scalars += frequencies.map { cos(position * $0) }
            }
        }
    }
    return Tensor(shape: [grid.count, width], scalars: scalars)
}

extension Tensor {
    /// Tokens `[N, L, D]` plus one table `[L, D]` for all samples.
    func addingTable(_ table: Tensor) -> Tensor { self + table.broadcastSamples(shape[0]) }
}

/// The term that tells a condition token its frame; for a single image the same vector everywhere.
///
/// Parameters `time_proj.0 [D, 256]`, `time_proj.2`, `norm`.
public struct FrameEmbedding: Sendable {
    private static let featureCount = 256
    private let first: Linear
    private let second: Linear
    private let norm: ChannelNorm

    public init(_ scope: Scope, width: Int) {
        first = .uniform(scope / "time_proj.0", Self.featureCount, width)
        second = .uniform(scope / "time_proj.2", width, width)
        norm = ChannelNorm(scope / "norm", channels: width, epsilon: 1e-5)
    }

    /// Frames in units of the base length → `[F, D]`.
    public func callAsFunction(_ frames: [Float]) -> Tensor {
        let half = Self.featureCount / 2
        let frequencies = (0..<half).map { 1 / pow(Float(10_000), Float($0) / Float(half)) }
        let features = frames.flatMap { frame in
            frequencies.map { sin(frame * $0) } + frequencies.map { cos(frame * $0) }
        }
        return norm(second(silu(first(Tensor(shape: [frames.count, Self.featureCount], scalars: features)))))
    }
}

/// Classes as tokens; the last row of the table means "no class".
///
/// Parameters `weight [K + 1, D]`, `norm`.
public struct LabelTokens: Sendable {
    private let table: Tensor
    private let norm: ChannelNorm

    public init(_ scope: Scope, classCount: Int, width: Int) {
        table = scope.parameter("weight", [classCount + 1, width], .normal(standardDeviation: 0.02))
        norm = ChannelNorm(scope / "norm", channels: width, epsilon: 1e-5)
    }

    /// N labels → `[N, 1, D]`; nil is the null class.
    public func callAsFunction(_ labels: [Int?]) -> Tensor {
        let null = table.shape[0] - 1
        return norm(table.gatheringRows(labels.map { $0 ?? null })).reshaped([
            labels.count, 1, table.shape[1],
        ])
    }
}

/// Embedded prompts as tokens. A prompt's vectors take the place of the first rows of a fixed table; without a prompt the
/// table stays as it is.
///
/// Parameters `weight [512, E]` (a buffer), `proj [D, E]`, `norm`.
public struct TextTokens: Sendable {
    private static let maximumLength = 512
    private let table: Tensor
    private let project: Linear
    private let norm: ChannelNorm
    private let length: Int

    /// - Parameter length: tokens of a prompt, at most 512.
    public init(_ scope: Scope, textWidth: Int, width: Int, length: Int) {
        self.length = length
        table = scope.buffer("weight", [Self.maximumLength, textWidth], .normal(standardDeviation: 0.02))
        project = .uniform(scope / "proj", textWidth, width)
        norm = ChannelNorm(scope / "norm", channels: width, epsilon: 1e-5)
    }

    /// N prompts `[L, E]`, nil for none → `[N, length, D]`. What a prompt has beyond `length` is left out.
    public func callAsFunction(_ prompts: [Tensor?]) -> Tensor {
        let rows = prompts.map { prompt -> Tensor in
            let blank = table.samples(0..<length)
            guard let prompt, prompt.shape[0] > 0 else { return blank }
            let count = min(length, prompt.shape[0])
            return count == length
                ? prompt.samples(0..<length)
                : .concatenateSamples([prompt.samples(0..<count), blank.samples(count..<length)])
        }
        let all = Tensor.concatenateSamples(rows)
        return norm(project(all)).reshaped([prompts.count, length, project.weight.shape[0]])
    }
}

/// The vectors of unknown image tokens and of the condition's beginning. Parameters `mask_token`, `bos_token [1, D]`.
public struct MaskTokens: Sendable {
    let mask: Tensor
    let beginning: Tensor

    public init(_ scope: Scope, width: Int) {
        beginning = scope.parameter("bos_token", [1, width], .normal(standardDeviation: 0.02))
        mask = scope.parameter("mask_token", [1, width], .normal(standardDeviation: 0.02))
    }

    /// A sequence of `count` mask tokens for each sample, with `known` `[N, M, D]` at the visible places.
    public func callAsFunction(count: Int, visible: [[Int]], known: Tensor) -> Tensor {
        repeated(mask, visible.count, count).replacingTokens(visible, with: known)
    }

    /// `[N, count, D]`, each the beginning token.
    public func beginnings(samples: Int, count: Int) -> Tensor { repeated(beginning, samples, count) }

    private func repeated(_ token: Tensor, _ samples: Int, _ count: Int) -> Tensor {
        token.gatheringRows(Array(repeating: 0, count: samples * count)).reshaped([
            samples, count, token.shape[1],
        ])
    }
}
