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
              sfumato train configs/denoise-dncnn-25.yaml
              sfumato train outputs/try --resume
              sfumato train configs/mine.yaml --set initialWeights=samplers/weights/cifar10-dico.safetensors

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
        let node = try SettingsNode(yamlFile: file).applying(settings.overrides())
        let output = RunFolder(path: out ?? (isRun ? config : joinPath("outputs", name(of: file))))
        if RestorationConfiguration.describes(node) { return try trainDenoiser(node, output) }
        if AutoencoderConfiguration.describes(node) { return try trainAutoencoder(node, output) }
        let plan = try TrainingPlan(TrainingConfiguration(node), origin: file)
        guard !dryRun else {
            return print(plan.description(parameterCount: plan.configuration.model.parameterCount))
        }
        Terminal.warnIfMissing(plan.configuration.precision)
        let progress = TrainingProgress(total: plan.configuration.steps)
        let run = try TrainingRun(plan, folder: output, resume: resume, onEvent: progress.show)
        try finish(
            output, progress, at: run.firstStep, of: plan.configuration.steps,
            parameterCount: run.parameterCount, run.run)
    }

    private func trainDenoiser(_ node: SettingsNode, _ folder: RunFolder) throws {
        let configuration = try RestorationConfiguration(node)
        guard !dryRun else { return print(try RestorationRun.description(of: configuration)) }
        Terminal.warnIfMissing(configuration.precision)
        let progress = TrainingProgress(total: configuration.steps)
        let run = try RestorationRun(configuration, folder: folder, resume: resume, onEvent: progress.show)
        try finish(
            folder, progress, at: run.firstStep, of: configuration.steps, parameterCount: run.parameterCount,
            run.run)
    }

    private func trainAutoencoder(_ node: SettingsNode, _ folder: RunFolder) throws {
        let configuration = try AutoencoderConfiguration(node)
        for warning in try AutoencoderRun.warnings(of: configuration) { Terminal.warning(warning) }
        guard !dryRun else { return print(try AutoencoderRun.description(of: configuration)) }
        let progress = TrainingProgress(total: configuration.steps)
        let run = try AutoencoderRun(configuration, folder: folder, resume: resume, onEvent: progress.show)
        try finish(
            folder, progress, at: run.firstStep, of: configuration.steps, parameterCount: run.parameterCount,
            run.run)
    }

    private func finish(
        _ folder: RunFolder, _ progress: TrainingProgress, at step: Int, of total: Int, parameterCount: Int,
        _ train: (() -> Bool) throws -> TrainingRun.Outcome
    ) throws {
        if step >= total { Terminal.warning("\(folder.path): is already at step \(step) of \(total)") }
        progress.begin(at: step, parameterCount: parameterCount, folder: folder.path)
        Interruption.watch()
        let outcome = try train { Interruption.isRequested }
        progress.end()
        guard outcome == .finished else {
            Terminal.note(
                folder.states().isEmpty
                    ? "stopped before the first step; there is nothing to save yet"
                    : "saved; go on with: sfumato train \(folder.path) --resume")
            throw ExitCode(130)
        }
        print(joinPath(folder.path, "model.safetensors"))
    }

    private func name(of file: String) -> String {
        let name = splitPath(file).name
        return name.hasSuffix(".yaml") ? String(name.dropLast(5)) : name
    }
}
