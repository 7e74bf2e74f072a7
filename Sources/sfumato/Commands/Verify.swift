import ArgumentParser
import Checkpoints
import Recipes

struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Rebuild recorded cases and compare with the original's numbers.",
        discussion: """
            Examples:
              sfumato verify Tests/Fixtures/diffusion
              sfumato verify my-export.safetensors --json

            A case is a safetensors file with param.*, input.*, output.*, and where gradients are wanted cotangent.*, \
            grad_param.* and grad_input.*, in the original's layout (NCHW); its metadata config says what to build. Errors \
            are the largest difference relative to the reference's RMS. Kinds that are not known count as failures.
            """)

    @Argument(help: "Cases, or folders of them.", completion: .file(extensions: ["safetensors"]))
    var files: [String]
    @Flag(help: "Print every comparison as JSON.")
    var json = false
    @OptionGroup var compute: ThreadOptions

    func run() throws {
        compute.apply()
        let paths = try Verifier.files(in: files)
        var reports: [VerificationReport] = []
        var progress = ProgressLine("verifying", total: paths.count, unit: "files")
        for path in paths {
            let report = Verifier().verify(path: path)
            reports.append(report)
            if !json {
                progress.end()
                print(report.line)
            }
            progress.advance()
        }
        progress.end()
        if json {
            JSONValue.array(reports.map(\.json)).printLine()
        } else {
            print(VerificationReport.summary(reports))
        }
        if reports.isEmpty || !reports.allSatisfy(\.passes) { throw ExitCode.failure }
    }
}
