import Synchronization

/// Weights `[O, I, …]` as 8-bit integers, one scale for each output, and how their layer's inputs become integers: a
/// product of integers whose sums are exact, after training (post-training quantisation, arXiv 1712.05877, section 2).
///
/// Inputs share one scale, behind a factor for each channel that moves its size into the weights (SmoothQuant,
/// arXiv 2211.10438): x_c ≈ factor_c·scale·(q − zeroPoint), w_oc ≈ scale_o·integer / factor_c.
public final class QuantizedWeights: Sendable {
    public let shape: Shape
    /// −127…127 in memory order, with their packed forms beside them.
    private let storage: Storage
    /// O, positive.
    public let scales: [Float]
    public let input: InputQuantization
    /// I, positive.
    public let channelFactors: [Float]
    /// O, added to the layer's results: the opposite of their mean error in the examples.
    public let corrections: [Float]
    /// What inputs are multiplied by to become integers, I of them.
    let inputFactors: [Float]
    /// Σ of an output's integers.
    let sums: [Float]
    /// The scales are part of a plan, so each layer has its own.
    private let plans = Mutex(BoundedCache<PlanKey, ConvolutionPlan>(limit: 32))

    private struct PlanKey: Hashable {
        var geometry: ConvolutionGeometry
        var activation: ConvolutionActivation
        /// A plan divides its work when it is made.
        var threads: Int
    }

    /// - Precondition: as many integers as the shape has, scales and corrections as outputs, and factors as inputs.
    public init(
        shape: Shape, integers: [Int8], scales: [Float], input: InputQuantization, channelFactors: [Float],
        corrections: [Float]
    ) {
        precondition(
            shape.rank > 1 && integers.count == shape.elementCount && scales.count == shape[0]
                && channelFactors.count == shape[1] && corrections.count == shape[0],
            "\(integers.count) integers, \(scales.count) scales and \(channelFactors.count) factors do not fill \(shape)"
        )
        (self.shape, self.scales, self.input) = (shape, scales, input)
        let storage = Storage(byteCount: integers.count)
        integers.withUnsafeBytes {
            UnsafeMutableRawBufferPointer(start: storage.pointer, count: $0.count).copyMemory(from: $0)
        }
        self.storage = storage
        (self.channelFactors, self.corrections) = (channelFactors, corrections)
        inputFactors = channelFactors.map { 1 / ($0 * input.scale) }
        let width = integers.count / max(1, shape[0])
        sums = scales.indices.map { output in
            Float(integers[output * width..<(output + 1) * width].reduce(0) { $0 + Int($1) })
        }
    }

    /// Each output's integers with the scale that leaves the smallest mean square of what rounding changes.
    public convenience init(_ weights: Tensor, input: InputQuantization, channelFactors: [Float]) {
        let (outputs, values) = (weights.shape[0], weights.scaled(by: channelFactors))
        let width = values.count / max(1, outputs)
        var (integers, scales) = ([Int8](), [Float]())
        integers.reserveCapacity(values.count)
        for output in 0..<outputs {
            let row = values[output * width..<(output + 1) * width]
            let scale = Self.scale(row)
            scales.append(scale)
            integers += row.map { Int8(Self.integer($0, scale)) }
        }
        self.init(
            shape: weights.shape, integers: integers, scales: scales, input: input,
            channelFactors: channelFactors, corrections: Array(repeating: 0, count: outputs))
    }

    /// The same with corrections for results that are wrong by these amounts on average.
    convenience init(_ weights: QuantizedWeights, meanErrors: [Float]) {
        self.init(
            shape: weights.shape, integers: weights.integers, scales: weights.scales, input: weights.input,
            channelFactors: weights.channelFactors, corrections: meanErrors.map(-))
    }

    private static func integer(_ value: Float, _ scale: Float) -> Float {
        min(max((value / scale).rounded(.toNearestOrEven), -127), 127)
    }

    private static func scale(_ row: ArraySlice<Float>) -> Float {
        let largest = row.reduce(0) { max($0, abs($1)) }
        guard largest > 127 * Float.leastNormalMagnitude else { return 1 }
        var best = (error: Double.infinity, scale: largest / 127)
        for share in stride(from: Float(1), through: 0.7, by: -0.02) {
            let scale = share * largest / 127
            let error = row.reduce(0.0) { sum, value in
                let difference = Double(value - scale * integer(value, scale))
                return sum + difference * difference
            }
            if error < best.error { best = (error, scale) }
        }
        return best.scale
    }

    /// −127…127 in memory order.
    public var integers: [Int8] {
        let bytes = UnsafeRawBufferPointer(start: storage.pointer, count: shape.elementCount)
        return Array(bytes.bindMemory(to: Int8.self))
    }

    /// What the integers stand for.
    public var values: Tensor {
        let integers = integers
        let width = integers.count / max(1, shape[0])
        let scaled = Tensor(
            shape: shape, scalars: integers.indices.map { Float(integers[$0]) * scales[$0 / width] })
        return Tensor(shape: shape, scalars: scaled.scaled(by: channelFactors.map { 1 / $0 }))
    }

    var buffer: WeightBuffer { WeightBuffer(storage: storage, offset: 0) }

    func plan(_ geometry: ConvolutionGeometry, _ activation: ConvolutionActivation) -> ConvolutionPlan {
        let key = PlanKey(geometry: geometry, activation: activation, threads: ComputeThreads.count)
        return plans.withLock {
            $0.value(key) {
                ConvolutionPlan(
                    geometry, .forward, hasBias: true, activation,
                    .integers(input, scales: scales.map { $0 * input.scale }))
            }
        }
    }
}

extension Tensor {
    /// Weights `[O, I, …]` with a factor for each input.
    func scaled(by factors: [Float]) -> [Float] {
        let taps = elementCount / max(1, shape[0] * shape[1])
        return scalars.enumerated().map { $1 * factors[$0 / taps % factors.count] }
    }
}
