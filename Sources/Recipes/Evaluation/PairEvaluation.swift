import Images
import Metrics
import Tensors

/// Scores images one by one against the images they should be: the k-th sample, in the order of names, against the
/// k-th reference image.
struct PairEvaluation {
    let samples: any ImageSource
    let reference: any ImageSource

    /// - Throws: `EvaluationError` for unequal counts, `MetricError` for unequal sizes, naming the pair.
    func rows(
        _ metrics: [PairMetric], network: PerceptualDistance?, progress: (Int) -> Void
    ) throws -> [EvaluationReport.Row] {
        guard samples.count == reference.count else {
            throw EvaluationError(
                "pairs need equally many images: \(samples.name) has \(samples.count), \(reference.name) "
                    + "\(reference.count)")
        }
        var scorer = PairScorer(metrics, network: network)
        for first in stride(from: 0, to: samples.count, by: 16) {
            let range = first..<min(first + 16, samples.count)
            let (a, b) = (try samples.images(range), try reference.images(range))
            let scorers = scorer
            let scores = try ComputeThreads.map(Array(range)) { index -> [Double] in
                do {
                    return try scorers.scores(
                        PixelGrid(rgb: a[index - first]), PixelGrid(rgb: b[index - first]))
                } catch let error as MetricError {
                    throw MetricError("pair \(index + 1) of \(samples.name): \(error)")
                }
            }
            for row in scores { scorer.add(row) }
            progress(range.count)
        }
        return scorer.rows
    }
}
