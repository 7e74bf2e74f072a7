import Tensors

/// Wall-clock times of repeated work.
enum Timing {
    /// Runs `work` once to warm up, then until `seconds` have passed and at least `minimum` times; work that takes
    /// longer than that many `seconds` is run once, and work of half a minute is its own warm-up.
    /// - Returns: seconds per run, in the order they were taken.
    static func measure(
        seconds: Double = 1.5, minimum: Int = 3, maximum: Int = 1000, _ work: () throws -> Void
    ) rethrows
        -> [Double]
    {
        let clock = ContinuousClock()
        let first = try clock.measure(work).seconds
        if first > 30 { return [first] }
        let begin = clock.now
        var times: [Double] = []
        while times.count < maximum {
            let elapsed = (clock.now - begin).seconds
            let isEnough = elapsed >= seconds && times.count >= minimum
            if isEnough || !times.isEmpty && elapsed >= seconds * Double(minimum) { break }
            times.append(try clock.measure(work).seconds)
        }
        return times
    }

    static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        guard !sorted.isEmpty else { return .nan }
        return sorted.count % 2 == 1
            ? sorted[sorted.count / 2] : (sorted[sorted.count / 2 - 1] + sorted[sorted.count / 2]) / 2
    }
}

extension Duration {
    var seconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) * 1e-18
    }
}

/// What this machine can do at best, measured when it is asked.
enum MachineLimits {
    /// GFLOP/s of a 1536³ matrix product on all threads. In bfloat16 the left factor is rounded each time, which is a
    /// hundredth of the work.
    static func matrixProduct(seconds: Double = 0.4, _ precision: ProductPrecision = .float32) -> Double {
        let right = Tensor(repeating: 0.25, shape: [size, size]).multiplying(in: precision)
        return matrixProduct(right, seconds: seconds)
    }

    /// The same of 8-bit integers, in billions of operations a second; nil where the processor has no such products. Left
    /// factors become integers each time, a fiftieth of the work beside four times the results.
    static func integerProduct(seconds: Double = 0.4) -> Double? {
        guard ProductRole.hasIntegerProducts else { return nil }
        let weights = QuantizedWeights(
            Tensor(repeating: 0.25, shape: [4 * size, size]), input: .init(scale: 1 / 128, isSigned: false),
            channelFactors: Array(repeating: 1, count: size))
        return matrixProduct(Tensor(weights), seconds: seconds)
    }

    /// Rows and columns of a left factor.
    private static let size = 1536

    /// - Parameter right: [outputs, size]
    private static func matrixProduct(_ right: Tensor, seconds: Double) -> Double {
        let left = Tensor(repeating: 0.5, shape: [size, size])
        let times = Timing.measure(seconds: seconds) { _ = left.linear(right) }
        return 2 * Double(size * size * right.shape[0]) / Timing.median(times) / 1e9
    }

    /// GB/s of copying 256 MB, bytes read and bytes written counted.
    static func copyBandwidth() -> Double {
        let count = 1 << 26
        let source = Tensor(repeating: 1, shape: [count])
        let times = Timing.measure(seconds: 0.5) { _ = source.affine(scale: 1, shift: 0) }
        return 8 * Double(count) / Timing.median(times) / 1e9
    }
}
