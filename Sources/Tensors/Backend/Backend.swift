/// Read and write access to a device's float32 scalars.
typealias Input = UnsafePointer<Float>
typealias Output = UnsafeMutablePointer<Float>

/// The same of bfloat16 scalars.
typealias HalfInput = UnsafePointer<UInt16>
typealias HalfOutput = UnsafeMutablePointer<UInt16>

enum UnaryOperation: UInt32 {
    case negate, absolute, square, squareRoot, reciprocal, exp, log, sin, cos, tanh, sigmoid, relu, silu,
        gelu, softplus
}

enum BinaryOperation: UInt32 { case add, subtract, multiply, divide }

/// What is done to a convolution's results in the pass that writes them.
public enum ConvolutionActivation: Hashable, Sendable {
    case none, relu, gelu
    /// The first half of the channels times the second, which halves their number (NAFNet, arXiv 2204.04676).
    case simpleGate
}

/// How channel vectors lie in a tensor: `samples` blocks of `rows` vectors of `channels` scalars.
struct ChannelLayout: Hashable {
    var samples: Int
    var rows: Int
    var channels: Int

    init(samples: Int, rows: Int, channels: Int) {
        (self.samples, self.rows, self.channels) = (samples, rows, channels)
    }

    /// `[N, …, C]` as N samples.
    init(_ shape: Shape) {
        let samples = shape.rank > 1 ? shape[0] : 1
        self.init(samples: samples, rows: samples > 0 ? shape.rows / samples : 0, channels: shape.channels)
    }

    /// The same rows without the division into samples.
    var flattened: ChannelLayout { ChannelLayout(samples: 1, rows: samples * rows, channels: channels) }
}

/// The operations a device must offer, on raw buffers. Tensors, their derivatives and everything above them are
/// written in terms of these and never name a device, so a second device is a second conforming type.
///
/// All buffers are dense, channels-last float32; a result never overlaps an operand unless stated.
protocol Backend: AttentionBackend, RowFusionBackend, Sendable {
    // Element-wise families; `x` and `y` may be the same buffer.
    func unary(_ operation: UnaryOperation, _ x: Input, _ y: Output, count: Int)
    func unaryBackward(_ operation: UnaryOperation, _ x: Input, _ dy: Input, _ dx: Output, count: Int)
    func binary(_ operation: BinaryOperation, _ a: Input, _ b: Input, _ y: Output, count: Int)
    func affine(_ x: Input, _ y: Output, scale: Float, shift: Float, count: Int)
    /// y += scale · x
    func accumulate(_ x: Input, into y: Output, scale: Float, count: Int)
    /// Σ a·b in double (b nil: Σ a); the result does not depend on the thread count.
    func dot(_ a: Input, _ b: Input?, count: Int) -> Double
    func nonFiniteCount(_ x: Input, count: Int) -> Int

    // Channel vectors. `perSample`: `v` is [samples, channels], else [channels].
    func channelBinary(
        _ operation: BinaryOperation, _ x: Input, _ v: Input, _ y: Output, layout: ChannelLayout,
        perSample: Bool)
    /// y = x + v·z with `v` [samples, channels]
    func channelScaleAdd(_ x: Input, _ v: Input, _ z: Input, _ y: Output, layout: ChannelLayout)
    /// sum[s, c] = Σ_rows a·b (b nil: Σ a)
    func sumRows(_ a: Input, _ b: Input?, _ sum: Output, layout: ChannelLayout)
    /// y = GELU(x), sum[s, c] = Σ_rows y
    func geluSumRows(_ x: Input, _ y: Output, _ sum: Output, layout: ChannelLayout)
    /// dx = GELU'(x)·(dy·scale + shift), `scale` and `shift` [samples, channels]
    func geluScaleBackward(
        _ x: Input, _ dy: Input, scale: Input, shift: Input, _ dx: Output, layout: ChannelLayout)

    // Normalisation: x̂·(scaleBase + scale) + shift. `scale`, `shift` [samples, channels] or nil; statistics
    // [samples·rows].
    func layerNorm(
        _ x: Input, scale: Input?, shift: Input?, _ y: Output, mean: Output, inverseDeviation: Output,
        epsilon: Float, scaleBase: Float, layout: ChannelLayout)
    func layerNormBackward(
        _ x: Input, scale: Input?, _ dy: Input, mean: Input, inverseDeviation: Input, _ dx: Output,
        dScale: Output?, dShift: Output?, scaleBase: Float, layout: ChannelLayout)

    // Batch normalisation: one value per channel, `layout` of one sample. `inverse` is 1/√(variance + ε).
    /// sum[c] = Σ (x − mean)²
    func sumSquaredDeviations(_ x: Input, mean: Input, _ sum: Output, layout: ChannelLayout)
    /// y = (x − mean)·scale + shift
    func normalizeChannels(
        _ x: Input, mean: Input, scale: Input, shift: Input, _ y: Output, layout: ChannelLayout)
    /// sums[0, c] = Σ dy, sums[1, c] = Σ dy·x̂
    func batchNormSums(
        _ x: Input, _ dy: Input, mean: Input, inverse: Input, sums: Output, layout: ChannelLayout)
    /// dx = scale·(dy − meanDy − x̂·meanProduct)
    func batchNormBackward(
        _ x: Input, _ dy: Input, mean: Input, inverse: Input, scale: Input, meanDy: Input,
        meanProduct: Input, _ dx: Output, layout: ChannelLayout)

    // Pixels.
    func gatherPixels(_ map: PixelMap, _ x: Input, _ y: Output, samples: Int)
    /// Adds to dx.
    func scatterPixels(_ map: PixelMap, _ dy: Input, _ dx: Output, samples: Int)
    /// y = scale · Σ over boxes of kernelHeight × kernelWidth, at stride 1, inside the image
    func boxSum(
        _ x: Input, _ y: Output, samples: Int, height: Int, width: Int, channels: Int, kernelHeight: Int,
        kernelWidth: Int, scale: Float)
    /// Rows of 2·channels: first half times second half.
    func gate(_ x: Input, _ y: Output, rows: Int, channels: Int)
    func gateBackward(_ x: Input, _ dy: Input, _ dx: Output, rows: Int, channels: Int)

    // Dense linear algebra, row-major: c[m,n] = op(a)·op(b) + beta·c.
    func matrixProduct(
        _ a: Input, transposeA: Bool, _ b: Input, transposeB: Bool, _ c: Output, m: Int, n: Int, k: Int,
        beta: Float)

    /// y = x·wᵀ + bias with w [outputs, inputs], for a few rows of x: a row's result does not depend on the others.
    func fewRowsProduct(
        _ x: Input, _ w: Input, bias: Input?, _ y: Output, rows: Int, inputs: Int, outputs: Int)

    // Convolution. Weights are `[O, I/groups, kh, kw]`. A gate only where the geometry `suitsDepthwiseGate`.
    func convolution(
        _ geometry: ConvolutionGeometry, _ x: Input, weight: WeightBuffer, bias: Input?,
        _ activation: ConvolutionActivation, _ y: Output)
    func convolutionBackwardData(
        _ geometry: ConvolutionGeometry, _ dy: Input, weight: WeightBuffer, _ dx: Output)
    func convolutionBackwardWeights(
        _ geometry: ConvolutionGeometry, _ x: Input, _ dy: Input, dWeight: Output, dBias: Output?)
    /// With the sums of the activated results over each image, [batch, channels]: a GELU where the geometry
    /// `suitsDepthwise`, a gate where it `suitsDepthwiseGate`.
    func depthwiseConvolutionWithSums(
        _ geometry: ConvolutionGeometry, _ x: Input, weight: WeightBuffer, bias: Input?,
        _ activation: ConvolutionActivation, _ y: Output, sums: Output)

    // The same on operands rounded to bfloat16, for every geometry that `suitsBFloat16`.
    func roundToBFloat16(_ x: Input, _ y: HalfOutput, count: Int)
    func convolution(
        _ geometry: ConvolutionGeometry, _ x: HalfInput, weight: WeightBuffer, bias: Input?,
        _ activation: ConvolutionActivation, _ y: Output)
    func convolutionBackwardData(
        _ geometry: ConvolutionGeometry, _ dy: HalfInput, weight: WeightBuffer, _ dx: Output)
    func convolutionBackwardWeights(
        _ geometry: ConvolutionGeometry, _ x: HalfInput, _ dy: HalfInput, dWeight: Output)

    // The same of 8-bit integers, without groups.
    func quantize(_ x: Input, _ y: Storage, for weights: QuantizedWeights, rows: Int)
    func convolution(
        _ geometry: ConvolutionGeometry, _ x: Storage, _ weights: QuantizedWeights, bias: Input?,
        _ activation: ConvolutionActivation, _ y: Output)

    // Copies.
    func pixelUnshuffle(_ x: Input, _ y: Output, rows: Int, width: Int, channels: Int, factor: Int)
    func pixelShuffle(_ x: Input, _ y: Output, rows: Int, width: Int, channels: Int, factor: Int)
    /// Copies a `rows`×`columns` block between buffers whose rows are `sourceStride` and `targetStride` apart.
    func copyBlock(
        _ source: Input, sourceStride: Int, _ target: Output, targetStride: Int, rows: Int, columns: Int)

    // Optimiser, in place.
    func adamW(
        _ settings: AdamWStep, gradient: Input, weight: Output, first: Output, second: Output,
        average: Output?, count: Int)
}

/// The device in use.
let backend: any Backend = CPUBackend()
