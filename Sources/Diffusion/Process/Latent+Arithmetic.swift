extension Latent {
    /// The linear combination Σ cᵢ·xᵢ, the only arithmetic a solver needs.
    public static func combine(_ terms: (Double, Latent)...) -> Latent {
        precondition(!terms.isEmpty, "a linear combination needs a term")
        var result = terms[0].1
        result.scale(by: terms[0].0)
        for (coefficient, term) in terms.dropFirst() { result.add(coefficient, term) }
        return result
    }

    /// x ← c·x.
    public mutating func scale(by factor: Double) {
        guard factor != 1 else { return }
        values.withUnsafeMutableBufferPointer { x in
            for i in 0..<x.count { x[i] *= factor }
        }
    }

    /// x ← x + c·y. A zero coefficient leaves x as it is, even where y is not finite.
    public mutating func add(_ coefficient: Double, _ other: Latent) {
        precondition(shape == other.shape, "latents of \(shape) and \(other.shape) cannot be added")
        guard coefficient != 0 else { return }
        values.withUnsafeMutableBufferPointer { x in
            other.values.withUnsafeBufferPointer { y in
                for i in 0..<x.count { x[i] += coefficient * y[i] }
            }
        }
    }

    public static func + (a: Latent, b: Latent) -> Latent { combine((1, a), (1, b)) }
    public static func - (a: Latent, b: Latent) -> Latent { combine((1, a), (-1, b)) }
    public static func * (c: Double, x: Latent) -> Latent { combine((c, x)) }

    public func map(_ transform: (Double) -> Double) -> Latent {
        Latent(shape: shape, values: values.map(transform))
    }

    /// A function of the elements of two latents of the same shape.
    public func zip(_ other: Latent, _ transform: (Double, Double) -> Double) -> Latent {
        precondition(shape == other.shape, "latents of \(shape) and \(other.shape) differ")
        var result = self
        result.values.withUnsafeMutableBufferPointer { x in
            other.values.withUnsafeBufferPointer { y in
                for i in 0..<x.count { x[i] = transform(x[i], y[i]) }
            }
        }
        return result
    }

    /// Each sample multiplied by its own factor.
    public func scaled(perSample factors: [Double]) -> Latent {
        var result = self
        let size = sampleSize
        for (sample, factor) in factors.enumerated() {
            for i in sample * size..<(sample + 1) * size { result.values[i] *= factor }
        }
        return result
    }

    /// √(mean x²) over everything, the natural unit of an error; 0 for an empty latent.
    public var rootMeanSquare: Double {
        values.isEmpty ? 0 : (values.reduce(0) { $0 + $1 * $1 } / Double(values.count)).squareRoot()
    }
}
