import Archives
import ArgumentParser
import Checkpoints
import Recipes
import Tensors

struct Quantize: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a trained model multiply 8-bit integers.",
        discussion: """
            Examples:
              sfumato quantize samplers/cifar10-dico.yaml cifar10-int8.safetensors
              sfumato quantize dncnn_25.pth dncnn-int8.safetensors --images Train400 --sigma 25
              sfumato evaluate dncnn-int8.safetensors --against BSD68 --add-noise 25 --metrics psnr,ssim

            Weights get a scale for each output, inputs one for each layer, learned from a few examples: samples that a \
            generative model draws by the recipe, or clean images with noise for a denoiser. The result is a checkpoint, \
            a third to a quarter as large, for generate, denoise and evaluate. Score it beside the original: what is lost \
            depends on the model.
            """)

    @Argument(
        help:
            "A recipe, whose model is quantised as it samples; or a denoiser: a checkpoint or published weights.",
        completion: .file())
    var source: String
    @Argument(help: "The checkpoint to write.", completion: .file(extensions: ["safetensors"]))
    var target: String
    @Option(name: .shortAndLong, help: "A checkpoint or run's folder instead of the recipe's.")
    var checkpoint: String?
    @Option(
        name: [.customShort("n"), .long],
        help: "Samples, or images, to learn from (default: 16 samples, 64 images).")
    var count: Int?
    @Option(help: "Clean images for a denoiser: a folder, or one image.", completion: .file())
    var images: String?
    @Option(help: "Noise for a denoiser, of 255, as 25 or 0-55 (default: what it was trained for).")
    var sigma: String?
    @Option(help: "How tensors that are not quantised are stored.")
    var precision = Convert.Precision.float32
    @Flag(help: "Replace a file that exists.")
    var overwrite = false
    @OptionGroup var settings: OverrideOptions
    @OptionGroup var compute: ThreadOptions

    func validate() throws {
        if let count, count < 1 { throw ValidationError("-n must be at least 1, found \(count).") }
        if sigma != nil, images == nil { throw ValidationError("--sigma is for denoisers; give --images.") }
        if let sigma, Self.range(sigma) == nil {
            throw ValidationError("--sigma must be a number or two in 0…1000, as 25 or 0-55, found \(sigma).")
        }
        if images != nil, checkpoint != nil || !settings.texts.isEmpty {
            throw ValidationError("--checkpoint and --set are for recipes; leave them out with --images.")
        }
    }

    func run() throws {
        compute.apply()
        guard overwrite || !fileExists(target) else {
            throw ConversionError("\(target): already exists; choose another name, or add --overwrite")
        }
        Interruption.watch()
        let result: ModelQuantization
        do { result = try images.map(denoiser) ?? generator() } catch is CancellationError {
            throw ExitCode(130)
        }
        try result.write(to: target, as: precision.type)
        let size = result.tensors(as: precision.type).reduce(0) { $0 + $1.bytes.count }
        Terminal.note(
            "\(result.layers.count) layers of 8-bit integers, \(TextTable.grouped(size)) bytes of weights")
        if !ProductRole.hasIntegerProducts {
            Terminal.warning(
                "this processor does not multiply 8-bit integers; the model will compute in float32 here")
        }
        print(target)
    }

    private func generator() throws -> ModelQuantization {
        if RestorationConversion.recognizes(source) {
            throw QuantizationError("\(source): is a denoiser; give clean images with --images")
        }
        var overrides = try settings.overrides()
        if let checkpoint {
            overrides.append(SettingsOverride("checkpoint", checkpoint, option: "--checkpoint", isText: true))
        }
        let recipe = try SamplingRecipe(recipeFile: ProjectFiles.recipe(source), overrides: overrides)
        guard let path = recipe.checkpoint else {
            throw GenerationError("\(source): names no checkpoint; give one with --checkpoint")
        }
        var progress: ProgressLine?
        defer { progress?.end() }
        var before = 0
        return try ModelQuantization(generating: path, recipe: recipe, count: count ?? 16) { done, total in
            var line = progress ?? ProgressLine("sampling", total: total, unit: "image steps")
            line.advance(by: done - before)
            (progress, before) = (line, done)
            return !Interruption.isRequested
        }
    }

    private func denoiser(_ images: String) throws -> ModelQuantization {
        var plan = try DenoisingPlan(inputs: [images], options: DenoisingPlan.Options(out: nil))
        plan.limit(to: count ?? 64)
        var progress = ProgressLine("denoising", total: plan.items.count, unit: "images")
        defer { progress.end() }
        return try ModelQuantization(
            denoising: source, images: plan.items.map(\.input), sigmas: sigma.flatMap(Self.range)
        ) { _ in
            progress.advance(by: 1)
            return !Interruption.isRequested
        }
    }

    private static func range(_ text: String) -> ClosedRange<Double>? {
        let ends = text.split(separator: "-").map { Double($0) }
        guard (1...2).contains(ends.count), let low = ends[0], let high = ends[ends.count - 1], low <= high,
            low >= 0, high <= 1000
        else { return nil }
        return low...high
    }
}
