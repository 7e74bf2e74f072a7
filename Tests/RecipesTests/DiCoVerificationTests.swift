import Checkpoints
import Recipes
import TestSupport
import Testing

@Suite struct DiCoVerificationTests {
    @Test(.enabled(if: ParityCase.exist("dico")), arguments: ParityCase.all("dico"))
    func `every recorded case agrees with the original`(_ reference: ParityCase) {
        let report = Verifier().verify(path: reference.path)
        #expect(report.passes, "\(report.line)")
    }
}
