/// Equal matrix products on strided buffers, as for the heads of every sample: product (i, j) reads its matrices at
/// i·outer + j·inner scalars.
struct BatchedProduct {
    /// Where a family of matrices lies: the distance of its rows, of its outer and of its inner members.
    struct Placement {
        var row: Int
        var outer: Int
        var inner: Int
    }

    var outer: Int
    var inner: Int
    var m: Int
    var n: Int
    var k: Int
    var transposeA = false
    var transposeB = false
    var a: Placement
    var b: Placement
    var c: Placement
    /// c = scale·op(a)·op(b) + beta·c
    var scale: Float = 1
    var beta: Float = 0
}

/// Tokens of several samples whose channels are divided into heads: `[samples, tokens, heads·width]`.
struct HeadLayout {
    var samples: Int
    var tokens: Int
    var heads: Int
    var width: Int

    var channels: Int { heads * width }
    var rows: Int { samples * tokens }
    /// Placement of one head's `[tokens, width]` matrix.
    var placement: BatchedProduct.Placement {
        .init(row: channels, outer: tokens * channels, inner: width)
    }
}

/// What attention needs of a device.
protocol AttentionBackend {
    func matrixProducts(_ product: BatchedProduct, _ a: Input, _ b: Input, _ c: Output)

    func softmax(_ x: Input, _ y: Output, rows: Int, columns: Int)
    func softmaxBackward(_ y: Input, _ dy: Input, _ dx: Output, rows: Int, columns: Int)

    /// Attention by blocks; `logSum` [samples, heads, queries] is kept for the backward pass.
    func attention(
        _ q: Input, _ k: Input, _ v: Input, _ y: Output, logSum: Output, queries: HeadLayout,
        keys: HeadLayout,
        scale: Float)
    /// `delta` [samples·queries, heads] = Σ y·dy per head. dq, dk, dv are overwritten.
    func attentionBackward(
        _ q: Input, _ k: Input, _ v: Input, logSum: Input, delta: Input, _ dy: Input, _ dq: Output,
        _ dk: Output,
        _ dv: Output, queries: HeadLayout, keys: HeadLayout, scale: Float)

    /// out[row, head] = Σ a·b over the head's channels; `b` [samples, channels] when `perSample`, else shaped like `a`.
    func headDot(_ a: Input, _ b: Input, _ out: Output, layout: HeadLayout, perSample: Bool)
    /// y = s[row, head]·x; may be in place. `s` has one row per token when `shared`, repeated for every sample.
    func headScale(_ x: Input, _ s: Input, _ y: Output, layout: HeadLayout, shared: Bool)
    /// y += s[row, head]·v[sample, channel]
    func headAddVector(_ s: Input, _ v: Input, into y: Output, layout: HeadLayout)
    /// sum[sample, channel] = Σ over the tokens of s[row, head]·x
    func headSum(_ s: Input, _ x: Input, _ sum: Output, layout: HeadLayout)

    /// Turns neighbouring pairs of channels; tables [tokens or samples·tokens, width/2].
    func rotatePairs(
        _ x: Input, cosine: Input, sine: Input, backwards: Bool, _ y: Output, layout: HeadLayout, shared: Bool
    )

    func rmsNorm(
        _ x: Input, _ y: Output, inverse: Output, epsilon: Float, outside: Bool, rows: Int, channels: Int)
    func rmsNormBackward(
        _ x: Input, _ dy: Input, inverse: Input, _ dx: Output, epsilon: Float, outside: Bool, rows: Int,
        channels: Int)

    func clamp(_ x: Input, _ y: Output, limit: Float, count: Int)
    func clampBackward(_ x: Input, _ dy: Input, _ dx: Output, limit: Float, count: Int)
    /// Axis i of the result is axis `order[i]` of `x`.
    func permute(_ x: Input, _ y: Output, extents: [Int], order: [Int])
}
