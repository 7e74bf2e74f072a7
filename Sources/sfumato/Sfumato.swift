import ArgumentParser
import Recipes
import Tensors

@main
struct Sfumato: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sfumato",
        abstract: "Train, sample and score generative image models.",
        discussion: """
            Examples:
              sfumato train configs/shapes-dico.yaml
              sfumato generate samplers/cifar10-dico.yaml -n 64 --grid --out outputs/demo
              sfumato evaluate outputs/demo --against cifar10.zip

            Results go to standard output; progress and warnings to standard error, which is quiet when it is no \
            terminal. Exit status: 0 done, 1 failed, 64 bad usage, 130 interrupted.
            """,
        version: "0.1.0",
        subcommands: [
            Train.self, Generate.self, Denoise.self, Encode.self, Decode.self, Spectrum.self, Evaluate.self,
            Inspect.self, Convert.self, Quantize.self, Verify.self, Bench.self,
        ])

    static func main() {
        Interruption.prepare()
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch let code as ExitCode {
            exit(withError: code)
        } catch  where isOwn(error) {
            // Help, version and mistakes in the arguments themselves.
            exit(withError: error)
        } catch {
            Terminal.error("\(error)")
            exit(withError: ExitCode.failure)
        }
    }

    private static func isOwn(_ error: any Error) -> Bool {
        exitCode(for: error) != .failure || error is CleanExit || error is ValidationError
    }
}
