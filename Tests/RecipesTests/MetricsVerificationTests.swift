import Recipes
import TestSupport
import Testing

@Suite(.serialized) struct MetricsVerificationTests {
    /// Every prefix, so that a case without its family is noticed.
    static let cases = [
        "frechet_", "kid_", "inception_score_", "prdc_", "fid_infinity_", "memorisation_", "numpy_",
        "featnet_",
        "wavelet_", "spectrum_", "iqa_", "e2e_", "resize_", "generated_", "inception_block_",
        "inception_full_", "lpips_", "images_", "files_",
    ].flatMap { ParityCase.all("metrics", prefix: $0) }

    @Test(.enabled(if: ParityCase.exist("metrics")), arguments: cases)
    func `a metric agrees with the package that made it known`(_ reference: ParityCase) throws {
        let report = Verifier().verify(path: reference.path)
        #expect(report.passes, "\(report.line)")
        if case .compared(let result) = report.outcome {
            for item in result.items where !item.passes { Issue.record("\(item.comparison)") }
        }
    }
}
