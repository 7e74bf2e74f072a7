import Metrics

/// The metrics of an evaluation, told apart by what they look at.
public struct EvaluationMetrics: Sendable, Hashable {
    /// Of sets.
    public var sets: [Metric]
    /// Of pairs of images.
    public var pairs: [PairMetric]

    /// Everything that can be asked for.
    public static let names =
        Metric.all.map(\.name) + PairMetric.allCases.map(\.rawValue) + Metric.groups.keys.sorted()

    /// What is computed when nothing is asked for.
    /// - Parameter hasInception: the FID as well.
    public init(hasInception: Bool) {
        sets = (hasInception ? ["fid"].compactMap(Metric.named) : []) + Metric.standard
        pairs = []
    }

    /// What is computed of an autoencoder's reconstructions when nothing is asked for.
    /// - Parameter size: of its images; SSIM needs a window of 11 pixels.
    init(reconstructions size: ImageSize, hasInception: Bool) {
        sets = ((hasInception ? ["fid"] : []) + ["fd-feat"]).compactMap(Metric.named)
        pairs = min(size.width, size.height) < 11 ? [.psnr] : [.psnr, .ssim]
    }

    /// - Throws: `EvaluationError` for an unknown name, with the nearest one.
    public init(named names: [String]) throws {
        (sets, pairs) = ([], [])
        for name in names {
            if let pair = PairMetric(rawValue: name) {
                if !pairs.contains(pair) { pairs.append(pair) }
                continue
            }
            let members = (Metric.groups[name] ?? [name]).compactMap(Metric.named)
            guard !members.isEmpty else {
                let hint = nearestName(to: name, in: Self.names).map { "did you mean \"\($0)\"?" }
                throw EvaluationError(
                    "there is no metric \"\(name)\"; "
                        + (hint ?? "known are \(Self.names.joined(separator: ", "))"))
            }
            for metric in members where !sets.contains(metric) { sets.append(metric) }
        }
    }

    var needs: MeasurementNeeds { sets.reduce(into: []) { $0.formUnion($1.needs) } }
}

/// An evaluation that cannot be made as asked.
public struct EvaluationError: Error, CustomStringConvertible, Equatable {
    public let description: String

    public init(_ description: String) { self.description = description }
}
