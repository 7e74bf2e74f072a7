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

    /// Puts vectors of the data in the place of codes that are hardly used (random restarts, Jukebox,
    /// arXiv 2005.00341), in place.
    /// - Parameters:
    ///   - codebook: `[K, C]`.
    ///   - usage: the running statistics `[n, K]`.
    ///   - targets: what the levels of a batch had to code, `[N, h, w, C]`.
    ///   - share: of the uses that a code would have if all were used alike; below it a code is replaced.
    ///   - stream: decides which vectors are taken.
    /// - Returns: how many codes were replaced.
    @discardableResult public static func restart(
        _ codebook: Tensor, usage: Tensor, targets: [Tensor], share: Double, stream: RandomStream
    ) -> Int {
        let (size, width) = (codebook.shape[0], codebook.shape[1])
        let vectors = targets.map(\.scalars)
        let counts = vectors.map { $0.count / width }
        let total = counts.reduce(0, +)
        guard total > 0 else { return 0 }
        let uses = usage.withScalars { values in
            (0..<size).map { code in
                (0..<usage.shape[0]).reduce(0) { $0 + Double(values[$1 * size + code]) }
            }
        }
        let border = share * Double(total) / Double(size)
        let unused = uses.indices.filter { uses[$0] < border }
        codebook.withMutableScalars { rows in
            for code in unused {
                var place = stream.integer(below: total, at: UInt64(code))
                var level = 0
                while place >= counts[level] {
                    place -= counts[level]
                    level += 1
                }
                for channel in 0..<width {
                    rows[code * width + channel] = vectors[level][place * width + channel]
                }
            }
        }
        return unused.count
    }
}
