import Checkpoints
import Tensors

/// Statistics of Inception features in an `.npz`: `mu`, `sigma` (pytorch-fid, clean-fid, TTUR, EDM), with `mu_s`,
/// `sigma_s` for sFID (ADM). Ours add `n`, `mode`, `extractor` and `digest`, so that they are not mixed with others.
public enum StatisticsFile {
    /// - Returns: nil when the arrays are no statistics.
    /// - Throws: `MetricError` when they are damaged: it names the file and the array.
    public static func measures(_ arrays: [StoredTensor], file: String) throws -> SampleSetMeasures? {
        let byName = Dictionary(arrays.map { ($0.name, $0) }) { first, _ in first }
        guard let mean = byName["mu"], let covariance = byName["sigma"] else { return nil }
        let count = byName["n"]?.integers.first
        let statistics = try statistics(mean, covariance, count: count, file: file)
        var spatial: FeatureStatistics?
        if let mean = byName["mu_s"], let covariance = byName["sigma_s"] {
            spatial = try self.statistics(mean, covariance, count: count, file: file)
        }
        return SampleSetMeasures(
            name: file, count: count,
            inception: InceptionMeasures(
                mode: text(byName["mode"]), digest: text(byName["extractor"]), statistics: statistics,
                spatial: spatial))
    }

    /// The arrays to be written for a measured set.
    /// - Parameter dataDigest: identifies the images.
    public static func arrays(_ measures: InceptionMeasures, dataDigest: String) -> [StoredTensor] {
        func pair(_ statistics: FeatureStatistics, _ suffix: String) -> [StoredTensor] {
            let size = statistics.dimensions
            return [
                StoredTensor(name: "mu" + suffix, shape: [size], doubles: statistics.mean),
                StoredTensor(
                    name: "sigma" + suffix, shape: [size, size], doubles: statistics.covariance.values),
            ]
        }
        func bytes(_ name: String, _ text: String) -> StoredTensor {
            StoredTensor(name: name, shape: [text.utf8.count], bytes: Array(text.utf8))
        }
        return pair(measures.statistics, "") + (measures.spatial.map { pair($0, "_s") } ?? [])
            + [StoredTensor(name: "n", shape: [1], integers: [measures.statistics.count])]
            + [
                bytes("mode", measures.mode), bytes("extractor", measures.digest),
                bytes("digest", dataDigest),
            ]
    }

    private static func statistics(
        _ mean: StoredTensor, _ covariance: StoredTensor, count: Int?, file: String
    ) throws -> FeatureStatistics {
        // Some files carry leading axes of extent 1.
        let size = mean.elementCount
        guard size > 0, size <= 1 << 14, mean.shape.max() == size, covariance.elementCount == size * size,
            covariance.shape.suffix(2) == [size, size] || size == 1
        else {
            throw MetricError(
                "\(file): \(mean.name) is \(mean.shape) and \(covariance.name) \(covariance.shape); statistics "
                    + "are [D] and [D, D].")
        }
        return try FeatureStatistics(
            count: max(2, count ?? 2), mean: mean.doubles,
            covariance: Matrix(rows: size, columns: size, values: covariance.doubles),
            name: "\(file): \(mean.name), \(covariance.name)")
    }

    private static func text(_ stored: StoredTensor?) -> String {
        guard let stored, stored.type == .uint8, stored.elementCount < 1000 else { return "" }
        return String(decoding: stored.bytes.array, as: UTF8.self)
    }
}
