import CKernels

/// The processor: oneDNN for convolutions and matrix products, our own fused kernels for the rest.
struct CPUBackend: Backend {
    /// Below this many scalars per thread a parallel region costs more than it saves.
    static let grain = 8192

    func unary(_ operation: UnaryOperation, _ x: Input, _ y: Output, count: Int) {
        performParallel(count, grain: Self.grain / 4) { begin, end in
            sfumato_unary(.init(operation.rawValue), x + begin, y + begin, Int64(end - begin))
        }
    }

    func unaryBackward(_ operation: UnaryOperation, _ x: Input, _ dy: Input, _ dx: Output, count: Int) {
        performParallel(count, grain: Self.grain / 4) { begin, end in
            sfumato_unary_backward(
                .init(operation.rawValue), x + begin, dy + begin, dx + begin, Int64(end - begin))
        }
    }

    func binary(_ operation: BinaryOperation, _ a: Input, _ b: Input, _ y: Output, count: Int) {
        performParallel(count, grain: Self.grain) { begin, end in
            sfumato_binary(.init(operation.rawValue), a + begin, b + begin, y + begin, Int64(end - begin))
        }
    }

    func affine(_ x: Input, _ y: Output, scale: Float, shift: Float, count: Int) {
        performParallel(count, grain: Self.grain) { begin, end in
            sfumato_affine(x + begin, y + begin, scale, shift, Int64(end - begin))
        }
    }

    func accumulate(_ x: Input, into y: Output, scale: Float, count: Int) {
        performParallel(count, grain: Self.grain) { begin, end in
            sfumato_accumulate(x + begin, y + begin, scale, Int64(end - begin))
        }
    }

    func dot(_ a: Input, _ b: Input?, count: Int) -> Double {
        StepRecorder.refuse(.hostAccess)
        // Parts of a fixed length, added in order: the sum does not depend on the thread count.
        let length = 1 << 16
        let parts = (count + length - 1) / length
        guard parts > 1 else { return sfumato_dot(a, b, Int64(count)) }
        var partial = [Double](repeating: 0, count: parts)
        partial.withUnsafeMutableBufferPointer { partial in
            nonisolated(unsafe) let partial = partial
            parallelFor(parts, grain: 1) { begin, end in
                for part in begin..<end {
                    let start = part * length
                    partial[part] = sfumato_dot(
                        a + start, b.map { $0 + start }, Int64(min(length, count - start)))
                }
            }
        }
        return partial.reduce(0, +)
    }

    func nonFiniteCount(_ x: Input, count: Int) -> Int {
        StepRecorder.refuse(.hostAccess)
        return Int(sfumato_count_nonfinite(x, Int64(count)))
    }

    func matrixProduct(
        _ a: Input, transposeA: Bool, _ b: Input, transposeB: Bool, _ c: Output, m: Int, n: Int, k: Int,
        beta: Float
    ) {
        perform { OneDNN.matrixProduct(a, transposeA, b, transposeB, c, m: m, n: n, k: k, beta: beta) }
    }

    func fewRowsProduct(
        _ x: Input, _ w: Input, bias: Input?, _ y: Output, rows: Int, inputs: Int, outputs: Int
    ) {
        performParallel(outputs, grain: max(8, Self.grain * 4 / max(1, inputs * rows))) { begin, end in
            sfumato_few_rows_product(
                x, w, bias, y, Int64(rows), Int64(inputs), Int64(outputs), Int64(begin), Int64(end))
        }
    }

    func pixelUnshuffle(_ x: Input, _ y: Output, rows: Int, width: Int, channels: Int, factor: Int) {
        performParallel(rows, grain: 1) { begin, end in
            sfumato_pixel_unshuffle(
                x, y, Int64(begin), Int64(end), Int64(width), Int64(channels), Int64(factor))
        }
    }

    func pixelShuffle(_ x: Input, _ y: Output, rows: Int, width: Int, channels: Int, factor: Int) {
        performParallel(rows, grain: 1) { begin, end in
            sfumato_pixel_shuffle(
                x, y, Int64(begin), Int64(end), Int64(width), Int64(channels), Int64(factor))
        }
    }

    func copyBlock(
        _ source: Input, sourceStride: Int, _ target: Output, targetStride: Int, rows: Int, columns: Int
    ) {
        guard columns > 0 else { return }
        performParallel(rows, grain: max(1, Self.grain / columns)) { begin, end in
            for row in begin..<end {
                (target + row * targetStride).update(from: source + row * sourceStride, count: columns)
            }
        }
    }

    func adamW(
        _ settings: AdamWStep, gradient: Input, weight: Output, first: Output, second: Output,
        average: Output?,
        count: Int
    ) {
        let raw = settings.raw
        // Blocks that stay in the first-level cache make the two loops of the kernel one pass over memory.
        let block = 1024
        parallelFor((count + block - 1) / block, grain: 8) { begin, end in
            for start in stride(from: begin * block, to: min(end * block, count), by: block) {
                let length = Int64(min(block, count - start))
                withUnsafePointer(to: raw) {
                    sfumato_adamw_step(
                        $0, gradient + start, weight + start, first + start, second + start,
                        average.map { $0 + start }, length)
                }
            }
        }
    }
}

/// The numbers of one AdamW step (arXiv 1711.05101, Algorithm 2), shared by all parameters.
public struct AdamWStep: Sendable {
    public var learningRate: Float
    public var beta1: Float
    public var beta2: Float
    public var epsilon: Float
    public var weightDecay: Float
    /// Which step this is, from 1.
    public var step: Int
    /// Factor on every gradient before it is used.
    public var gradientScale: Float
    /// Decay of the moving average of the weights.
    public var averageDecay: Float

    public init(
        learningRate: Float, beta1: Float = 0.9, beta2: Float = 0.999, epsilon: Float = 1e-8,
        weightDecay: Float = 0, step: Int, gradientScale: Float = 1, averageDecay: Float = 0.9999
    ) {
        self.learningRate = learningRate
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.weightDecay = weightDecay
        self.step = step
        self.gradientScale = gradientScale
        self.averageDecay = averageDecay
    }

    var raw: sfumato_adamw {
        sfumato_adamw(
            learning_rate: learningRate, beta1: beta1, beta2: beta2, epsilon: epsilon,
            weight_decay: weightDecay,
            correction1: Float(1 - pow(Double(beta1), step)),
            correction2: Float(1 - pow(Double(beta2), step)),
            gradient_scale: gradientScale, average_decay: averageDecay)
    }

    private func pow(_ base: Double, _ exponent: Int) -> Double {
        var result = 1.0, square = base, rest = exponent
        while rest > 0 {
            if rest & 1 == 1 { result *= square }
            square *= square
            rest >>= 1
        }
        return result
    }
}
