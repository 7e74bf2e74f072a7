import Archives
import ArgumentParser
import Checkpoints
import Foundation
import Recipes
import Training

struct Train: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Train a model as a configuration says.",
        discussion: """
            Examples:
              sfumato train configs/shapes-dico.yaml
              sfumato train configs/cifar10-dico.yaml --set optimizer.learningRate=3e-4 --out outputs/try
              sfumato train outputs/try --resume

            The run's folder holds config.yaml, checkpoints/, samples/, log.jsonl, an event file for TensorBoard, and \
            at the end model.safetensors with the averaged weights. Ctrl-C saves the state and ends with status 130; \
            --resume goes on to the same bytes as if the run had never stopped.
            """)

    @Argument(help: "A YAML file from configs/, or a run's folder.", completion: .file(extensions: ["yaml"]))
    var config: String

    @Option(name: .shortAndLong, help: "The run's folder (default: outputs/NAME of the configuration).")
    var out: String?

    @Flag(help: "Go on from the newest state in the run's folder.")
    var resume = false

    @Flag(help: "Print what would be done, and end.")
    var dryRun = false

    @OptionGroup var settings: OverrideOptions
    @OptionGroup var compute: ThreadOptions

    func run() throws {
        compute.apply()
        let isRun = fileExists(joinPath(config, "config.yaml"))
        let file = isRun ? joinPath(config, "config.yaml") : config
        let plan = try TrainingPlan(
            TrainingConfiguration(file: file, overrides: settings.overrides()), origin: file)
        guard !dryRun else {
            return print(plan.description(parameterCount: plan.configuration.model.parameterCount))
        }
        let folder = RunFolder(path: out ?? (isRun ? config : joinPath("outputs", name(of: file))))
        let progress = TrainingProgress(total: plan.configuration.steps)
        let run = try TrainingRun(plan, folder: folder, resume: resume, onEvent: progress.show)
        if run.firstStep >= plan.configuration.steps {
            Terminal.warning(
                "\(folder.path): is already at step \(run.firstStep) of \(plan.configuration.steps)")
        }
        progress.begin(at: run.firstStep, parameterCount: run.parameterCount, folder: folder.path)
        Interruption.watch()
        let outcome = try run.run { Interruption.isRequested }
        progress.end()
        guard outcome == .finished else {
            Terminal.note("saved; go on with: sfumato train \(folder.path) --resume")
            throw ExitCode(130)
        }
        print(joinPath(folder.path, "model.safetensors"))
    }

    private func name(of file: String) -> String {
        let name = splitPath(file).name
        return name.hasSuffix(".yaml") ? String(name.dropLast(5)) : name
    }
}
