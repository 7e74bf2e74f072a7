import Checkpoints
import TestSupport
import Testing

@testable import Recipes

@Suite struct NFIGVerificationTests {
    @Test(.enabled(if: ParityCase.exist("nfig")), arguments: ParityCase.all("nfig"))
    func `every next-frequency case is rebuilt and agrees`(_ reference: ParityCase) {
        let report = Verifier().verify(path: reference.path)
        #expect(report.passes, "\(report.line)")
    }
}
