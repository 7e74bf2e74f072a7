import Checkpoints
import TestSupport
import Testing

@testable import Recipes

@Suite struct DiffusionVerificationTests {
    @Test(.enabled(if: ParityCase.exist("diffusion")), arguments: ParityCase.all("diffusion"))
    func `every diffusion case is rebuilt and agrees`(_ reference: ParityCase) {
        let report = Verifier().verify(path: reference.path)
        #expect(report.passes, "\(report.line)")
    }
}
