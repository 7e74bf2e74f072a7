import Foundation
import Tensors

/// The Inception Score's formula (Salimans et al., arXiv 1606.03498) on any classifier's logits:
/// exp of the mean divergence of each image's class distribution from the mean distribution.
public enum InceptionScore {
    /// - Parameters:
    ///   - logits: `[N, classes]`; the published scores use logits without bias.
    ///   - splits: ranges of rows scored apart.
    /// - Returns: the score of every split.
    public static func scores(logits: Matrix, splits: [Range<Int>]) throws -> [Double] {
        if let (row, column) = logits.firstNonFinite {
            throw MetricError("logit \(column) of image \(row) is \(logits[row, column]).")
        }
        let logs = (0..<logits.rows).map { logSoftmax(logits.row($0)) }
        return try splits.map { split in
            guard !split.isEmpty else {
                throw MetricError(
                    "\(logits.rows) images do not fill \(splits.count) splits; use fewer splits.")
            }
            let count = Double(split.count)
            var mean = [Double](repeating: 0, count: logits.columns)
            for row in logs[split] { for c in mean.indices { mean[c] += exp(row[c]) / count } }
            let logMean = mean.map { $0 > 0 ? log($0) : 0 }
            var divergence = 0.0
            for row in logs[split] {
                for c in mean.indices {
                    let p = exp(row[c])
                    if p > 0 { divergence += p * (row[c] - logMean[c]) / count }
                }
            }
            return exp(divergence)
        }
    }

    /// `count` splits bounded by ⌊iN/count⌋ (torch-fidelity).
    public static func equalSplits(_ imageCount: Int, count: Int = 10) -> [Range<Int>] {
        (0..<count).map { $0 * imageCount / count..<($0 + 1) * imageCount / count }
    }

    /// Consecutive blocks of a size, the last one shorter (ADM).
    public static func blocks(_ imageCount: Int, size: Int = 5000) -> [Range<Int>] {
        stride(from: 0, to: imageCount, by: size).map { $0..<min($0 + size, imageCount) }
    }

    private static func logSoftmax(_ logits: ArraySlice<Double>) -> [Double] {
        let largest = logits.max() ?? 0
        let logSum = log(logits.reduce(0) { $0 + exp($1 - largest) })
        return logits.map { $0 - largest - logSum }
    }
}

/// Mean and population standard deviation.
public func meanAndDeviation(_ values: [Double]) -> (mean: Double, deviation: Double) {
    let count = Double(max(1, values.count))
    let mean = values.reduce(0, +) / count
    return (mean, (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count).squareRoot())
}
