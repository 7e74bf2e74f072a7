// Directions of channel vectors.

extension Tensor {
    /// x/(‖x‖ + ε) over the last axis.
    ///
    /// A vector of zeros has no direction: it stays zero, and its derivative counts as zero.
    public func unitVectors(epsilon: Float = 1e-10) -> Tensor {
        let (rows, channels) = (shape.rows, shape.channels)
        StepRecorder.refuse(.unrecordedWork)
        let (x, y) = (detached, Tensor.uninitialized(shape))
        let lengths = (0..<rows).map { row in
            Tensor.sumOfProducts(x.base + row * channels, x.base + row * channels, channels).squareRoot()
        }
        for row in 0..<rows {
            let scale = Float(1 / (lengths[row] + Double(epsilon)))
            for i in row * channels..<(row + 1) * channels { y.mutableBase[i] = x.base[i] * scale }
        }
        return y.recorded([self]) { gradient, _ in
            let dx = Tensor.zeros(x.shape)
            for row in 0..<rows where lengths[row] > 0 {
                let start = row * channels
                let scale = 1 / (lengths[row] + Double(epsilon))
                let along =
                    Tensor.sumOfProducts(x.base + start, gradient.base + start, channels)
                    * scale * scale / lengths[row]
                for i in start..<start + channels {
                    dx.mutableBase[i] = Float(Double(gradient.base[i]) * scale - Double(x.base[i]) * along)
                }
            }
            return [dx]
        }
    }

    /// Σ a·b of two vectors, in double.
    private static func sumOfProducts(_ a: Input, _ b: Input, _ count: Int) -> Double {
        var sum = 0.0
        for i in 0..<count { sum += Double(a[i]) * Double(b[i]) }
        return sum
    }
}
