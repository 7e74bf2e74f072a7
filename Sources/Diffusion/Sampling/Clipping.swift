/// What happens to an estimate of the clean sample before the solver uses it.
public enum Clipping: Hashable, Sendable {
    /// Nothing: right for latents.
    case none
    /// Clamped to −bound…bound: right for pixels, with bound 1.
    case clamp(Double)
    /// Per sample, clamped at a quantile of its magnitudes and divided by it (Imagen, arXiv 2205.11487).
    case dynamic(quantile: Double, maximum: Double)

    public func callAsFunction(_ clean: Latent) -> Latent {
        switch self {
        case .none: return clean
        case .clamp(let bound): return clean.map { min(max($0, -bound), bound) }
        case .dynamic(let quantile, let maximum):
            return Self.thresholded(clean, quantile: quantile, maximum: maximum)
        }
    }

    private static func thresholded(_ clean: Latent, quantile: Double, maximum: Double) -> Latent {
        var result = clean
        let size = clean.sampleSize
        for sample in 0..<clean.sampleCount {
            let range = sample * size..<(sample + 1) * size
            let bound = min(max(Self.quantile(quantile, of: clean.values[range].map(abs)), 1), maximum)
            for i in range { result.values[i] = min(max(clean.values[i], -bound), bound) / bound }
        }
        return result
    }

    /// The quantile with linear interpolation between order statistics.
    static func quantile(_ q: Double, of values: [Double]) -> Double {
        guard !values.isEmpty else { return 0 }
        let sorted = values.sorted()
        let position = q * Double(sorted.count - 1)
        let low = Int(position)
        let high = min(low + 1, sorted.count - 1)
        return sorted[low] + (position - Double(low)) * (sorted[high] - sorted[low])
    }
}
