import Checkpoints
import Recipes
import TestSupport
import Testing

@Suite struct LINAVerificationTests {
    @Test(.enabled(if: ParityCase.exist("lina")), arguments: ParityCase.all("lina"))
    func `every case of LINA and MAR is rebuilt and agrees`(_ reference: ParityCase) {
        let report = Verifier().verify(path: reference.path)
        #expect(report.passes, "\(report.line)")
    }
}
