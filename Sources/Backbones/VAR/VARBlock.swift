import Foundation
import Layers
import Tensors

/// Keys and values of the tokens drawn so far, `[N, L, C]` each; both nil before the first level.
struct VARCache {
    var keys: Tensor?
    var values: Tensor?

    mutating func append(_ key: Tensor, _ value: Tensor) -> (Tensor, Tensor) {
        let both = (
            keys.map { .concatenateTokens([$0, key]) } ?? key,
            values.map { .concatenateTokens([$0, value]) } ?? value
        )
        (keys, values) = both
        return both
    }
}

/// VAR's self-attention. Parameters `mat_qkv.weight [3C, C]` without bias, `q_bias`, `v_bias` (keys have none),
/// `scale_mul_1H11 [1, heads, 1, 1]` when queries are normalised, `proj`.
public struct VARAttention: Sendable {
    let heads: Int
    let qkv: Tensor
    let queryBias: Tensor
    let valueBias: Tensor
    let temperature: Tensor?
    let project: Linear

    public init(_ scope: Scope, width: Int, heads: Int, normalizesQueries: Bool, depth: Int = 1) {
        let sigma = (1 / Float(3 * width)).squareRoot()
        self.heads = heads
        temperature =
            normalizesQueries
            ? scope.parameter(
                "scale_mul_1H11", [1, heads, 1, 1], .values(Array(repeating: log(4), count: heads)))
            : nil
        queryBias = scope.parameter("q_bias", [width], .zeros)
        valueBias = scope.parameter("v_bias", [width], .zeros)
        qkv = (scope / "mat_qkv").parameter("weight", [3 * width, width], .normal(standardDeviation: sigma))
        project = Linear(
            scope / "proj", width, width,
            weight: .normal(standardDeviation: sigma / Float(2 * max(1, depth)).squareRoot()))
    }

    /// - Parameters:
    ///   - x: `[N, L, C]`.
    ///   - visibleTokens: how many tokens each token sees; nil for all.
    public func callAsFunction(_ x: Tensor, visibleTokens: [Int]? = nil) -> Tensor {
        let (q, k, v) = parts(x)
        return attend(q, k, v, visibleTokens)
    }

    func callAsFunction(_ x: Tensor, cache: inout VARCache) -> Tensor {
        let (q, k, v) = parts(x)
        let (keys, values) = cache.append(k, v)
        return attend(q, keys, values, nil)
    }

    private func attend(_ q: Tensor, _ k: Tensor, _ v: Tensor, _ visible: [Int]?) -> Tensor {
        // Without normalisation the released code scales by 0.25/√d, not 1/√d.
        let scale = temperature == nil ? 0.25 / Float(q.shape[2] / heads).squareRoot() : 1
        return project(q.prefixAttention(key: k, value: v, heads: heads, scale: scale, visibleKeys: visible))
    }

    private func parts(_ x: Tensor) -> (Tensor, Tensor, Tensor) {
        let width = x.shape[2]
        let bias = Tensor.concatenateChannels([queryBias, .zeros([width]), valueBias])
        let parts = x.linear(qkv, bias: bias).chunks(3)
        guard let temperature else { return (parts[0], parts[1], parts[2]) }
        return (unit(parts[0]) * perChannel(temperature, width), unit(parts[1]), parts[2])
    }

    /// exp(min(τ, ln 100)) of each head, once per channel of the head.
    private func perChannel(_ temperature: Tensor, _ width: Int) -> Tensor {
        let limit = log(Float(100))
        let scales = exp(limit - relu(limit - temperature)).reshaped([heads, 1])
        return scales.gatheringRows((0..<width).map { $0 * heads / width }).reshaped([width])
    }

    private func unit(_ x: Tensor) -> Tensor {
        let shape = x.shape
        return x.reshaped([shape[0], shape[1], heads, shape[2] / heads]).l2Normalized().reshaped(shape)
    }
}

/// VAR's block: attention and feed-forward, both behind a modulated norm and a gate. Parameters `attn.…`,
/// `ffn.fc1`, `ffn.fc2`, and `ada_lin.1 [6C, D]`, or `ada_gss [1, 1, 6, C]` with shared modulation.
public struct VARBlock: Sendable {
    static let epsilon: Float = 1e-6
    let attention: VARAttention
    let widen: Linear
    let narrow: Linear
    let modulation: Linear?
    let offset: Tensor?

    public init(_ scope: Scope, _ configuration: VARConfiguration) {
        let width = configuration.width
        let hidden = Int((Double(width) * configuration.mlpRatio).rounded())
        let sigma = (1 / Float(3 * width)).squareRoot()
        let deep = Float(2 * max(1, configuration.depth)).squareRoot()
        attention = VARAttention(
            scope / "attn", width: width, heads: configuration.heads,
            normalizesQueries: configuration.normalizesQueries, depth: configuration.depth)
        widen = Linear(scope / "ffn.fc1", width, hidden, weight: .normal(standardDeviation: sigma))
        narrow = Linear(scope / "ffn.fc2", hidden, width, weight: .normal(standardDeviation: sigma / deep))
        // Gates begin near zero, so that a fresh block changes little.
        let gate: Float = 1e-3
        if configuration.sharesModulation {
            modulation = nil
            offset = scope.parameter(
                "ada_gss", [1, 1, 6, width],
                .normal(standardDeviation: gate / Float(width).squareRoot()))
        } else {
            modulation = Linear(
                scope / "ada_lin.1", width, 6 * width,
                weight: .normalBlocks([gate, gate, 0.5, 0.5, 0.5, 0.5].map { $0 * sigma }))
            offset = nil
        }
    }

    /// - Parameters:
    ///   - x: `[N, L, C]`.
    ///   - condition: `[N, D]`; with shared modulation what the shared layer made of it, `[N, 6C]`.
    public func callAsFunction(_ x: Tensor, condition: Tensor, visibleTokens: [Int]?) -> Tensor {
        apply(x, condition) { attention($0, visibleTokens: visibleTokens) }
    }

    func callAsFunction(_ x: Tensor, condition: Tensor, cache: inout VARCache) -> Tensor {
        apply(x, condition) { attention($0, cache: &cache) }
    }

    private func apply(_ x: Tensor, _ condition: Tensor, _ attend: (Tensor) -> Tensor) -> Tensor {
        let all = modulation.map { $0(silu(condition)) } ?? shifted(condition)
        let m = all.chunks(6)  // gates, scales, shifts: of the attention, of the feed-forward
        let y = x.addingGated(
            attend(x.layerNorm(shift: m[4], scale: m[2], epsilon: Self.epsilon)), gate: m[0])
        let h = y.layerNorm(shift: m[5], scale: m[3], epsilon: Self.epsilon)
        return y.addingGated(narrow(geluTanh(widen(h))), gate: m[1])
    }

    private func shifted(_ condition: Tensor) -> Tensor {
        offset.map { condition + $0.reshaped([$0.elementCount]) } ?? condition
    }
}

/// The norm before VAR's classifier, modulated by the condition. Parameter `ada_lin.1 [2C, D]` (scale, shift).
public struct VARHeadNorm: Sendable {
    let modulation: Linear

    public init(_ scope: Scope, width: Int, conditionWidth: Int) {
        modulation = Linear(
            scope / "ada_lin.1", conditionWidth, 2 * width,
            weight: .normal(standardDeviation: 0.5 * (1 / Float(3 * conditionWidth)).squareRoot()))
    }

    public func callAsFunction(_ x: Tensor, condition: Tensor) -> Tensor {
        let m = modulation(silu(condition)).chunks(2)
        return x.layerNorm(shift: m[1], scale: m[0], epsilon: VARBlock.epsilon)
    }
}
