import Tensors

/// How much of a codebook is in use (FoundationVision/VAR, `models/quant.py`): a running count per level and
/// code.
public enum CodebookUsage {
    /// Counts a batch into the running statistics `[n, K]`, in place.
    /// - Parameters:
    ///   - indices: codes per level.
    ///   - batch: how many batches were counted before: the first is taken as it is, the next hundred settle
    ///   quickly.
    public static func record(_ indices: [[Int]], into usage: Tensor, batch: Int) {
        let size = usage.shape[1]
        let keep: Float = batch == 0 ? 0 : batch < 100 ? 0.9 : 0.99
        usage.withMutableScalars { counts in
            for (level, codes) in indices.enumerated() {
                var hits = [Float](repeating: 0, count: size)
                for code in codes { hits[code] += 1 }
                for code in 0..<size {
                    let place = level * size + code
                    counts[place] = keep * counts[place] + (1 - keep) * hits[code]
                }
            }
        }
    }

    /// Share of the codes of each level used at least 8 % as often as if all were used alike.
    /// - Parameter positions: tokens per batch of each level.
    public static func shares(_ usage: Tensor, positions: [Int]) -> [Double] {
        let size = usage.shape[1]
        return usage.withScalars { counts in
            (0..<usage.shape[0]).map { level in
                let margin = Float(positions[level]) / Float(size) * 0.08
                return Double(counts[level * size..<(level + 1) * size].count { $0 >= margin }) / Double(size)
            }
        }
    }
}
