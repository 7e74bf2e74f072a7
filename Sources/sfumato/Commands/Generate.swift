import Archives
import ArgumentParser
import Images
import Recipes
import Tensors

struct Generate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Generate images from a trained model.",
        discussion: """
            Examples:
              sfumato generate samplers/cifar10-dico.yaml -n 64 --grid
              sfumato generate cifar10-dico --class cat --seeds 0-9,42 --out outputs/cats
              sfumato generate heun-18 --checkpoint outputs/shapes-dico -n 20 --gif
              sfumato generate --like outputs/cats/00000042.png --out outputs/again
              sfumato generate cifar10-nfig --from photo.png --keep-bands 2 -n 8
              sfumato generate masked-32 --checkpoint lina.safetensors --decoder kl16.safetensors

            Every image has its own seed, and is named by it; it depends on the checkpoint, the recipe and that seed \
            alone, so the same command gives the same bytes. Its PNG carries all three in text chunks.
            """)

    @Argument(
        help: "A recipe: a YAML file, or a name from samplers/.", completion: .file(extensions: ["yaml"]))
    var recipe: String?

    @Option(name: .shortAndLong, help: "A checkpoint or run's folder instead of the recipe's.")
    var checkpoint: String?
    @Option(help: "Repeat an image that sfumato generate made, from its text chunks.")
    var like: String?

    @Option(name: [.customShort("n"), .customLong("count")], help: "How many images (default: 16).")
    var count: Int?
    @Option(name: .customLong("class"), help: "Make only this class, by name or number; none for no class.")
    var className: String?
    @Option(help: "The seed of the first image; the others follow.")
    var seed: UInt64?
    @Option(help: "Seeds such as 7, 0-63 or 1,5,9-12; one image each.")
    var seeds: String?
    @Option(help: "Width and height, as 32 or 48x32; of a model of latents those of the latents.")
    var size: ImageSize?
    @Option(help: "Solver steps.")
    var steps: Int?
    @Option(help: "Guidance scale; 1 does not guide.")
    var guidance: Double?
    @Option(
        help: "Of a model of latents: the autoencoder that makes pictures of them.",
        completion: .file(extensions: ["safetensors"]))
    var decoder: String?

    @OptionGroup(title: "Next-frequency models") var bands: BandOptions
    @OptionGroup(title: "Results") var results: ResultOptions
    @Option(help: "Images sampled together; the bytes do not depend on it.")
    var batch = 16
    @Flag(help: "Print what would be done, and end.")
    var dryRun = false
    @Flag(help: "With --dry-run, print the plan as JSON; else the files made.")
    var json = false
    @OptionGroup var settings: OverrideOptions
    @OptionGroup var compute: ThreadOptions

    func validate() throws {
        guard (recipe == nil) != (like == nil) || (recipe == nil && checkpoint != nil) else {
            throw ValidationError("Give a recipe, as in samplers/cifar10-dico.yaml, or --like with an image.")
        }
        if let count, count < 1 { throw ValidationError("-n must be at least 1, found \(count).") }
        if batch < 1 { throw ValidationError("--batch must be at least 1, found \(batch).") }
        if seeds != nil, count != nil || seed != nil {
            throw ValidationError("--seeds already says how many images and which; leave out -n and --seed.")
        }
        if like != nil, bands.untilBand != nil || bands.keepBands != nil {
            throw ValidationError("--like repeats one image; leave out --until-band and --keep-bands.")
        }
        if like != nil, seeds != nil || count != nil || seed != nil || className != nil {
            throw ValidationError("--like repeats one image; leave out -n, --seed, --seeds and --class.")
        }
        if let seeds {
            do { _ = try SeedList(parsing: seeds) } catch { throw ValidationError("\(error).") }
        }
    }

    func run() throws {
        compute.apply()
        let plan = try makePlan()
        guard !dryRun else { return json ? plan.json.printLine() : print(plan.description) }
        guard plan.makesImages || results.isArrayOnly else {
            throw GenerationError(
                "\(plan.model.path): makes latents of \(plan.channels) channels, no pictures; give their autoencoder with --decoder, or write them with --npz --no-images"
            )
        }
        Terminal.warnIfMissing(plan.recipe.precision)
        let writer = try SampleWriter(plan, options: results)
        var progress = ProgressLine("sampling", total: plan.items.count * plan.stepCount, unit: "image steps")
        Interruption.watch()
        let isComplete = try Generator(plan, batchSize: batch).run { event in
            switch event {
            case .step(let step):
                progress.advance(by: step.items.count)
                try writer.add(step)
            case .finished(let items, let samples): try writer.add(items, samples)
            }
            return !Interruption.isRequested
        }
        progress.end()
        // What was finished before an interruption is kept.
        for path in try writer.finish(isComplete: isComplete) where !json { print(path) }
        if json { writer.json.printLine() }
        if !isComplete { throw ExitCode(130) }
    }

    private func makePlan() throws -> GenerationPlan {
        if let like { return try repeated(like) }
        var overrides = try settings.overrides() + bands.overrides
        if let steps { overrides.append(SettingsOverride("steps", steps, option: "--steps")) }
        if let guidance {
            overrides.append(SettingsOverride("guidance.scale", guidance, option: "--guidance"))
        }
        if let size { overrides.append(SettingsOverride("size", size, option: "--size", isText: true)) }
        if let checkpoint {
            overrides.append(SettingsOverride("checkpoint", checkpoint, option: "--checkpoint", isText: true))
        }
        if let decoder {
            overrides.append(SettingsOverride("decoder", decoder, option: "--decoder", isText: true))
        }
        let file = try recipe.map(ProjectFiles.recipe)
        var resolved =
            try file.map { try SamplingRecipe(recipeFile: $0, overrides: overrides) }
            ?? SamplingRecipe(overrides: overrides)
        guard let path = resolved.checkpoint else {
            throw GenerationError("\(file ?? "recipe"): names no checkpoint; give one with --checkpoint")
        }
        if let className { resolved.classes = [className] }
        let list =
            try seeds.map(SeedList.init(parsing:))
            ?? SeedList(count: count ?? 16, from: seed ?? resolved.seed)
        return try GenerationPlan(
            model: LoadedModel(path: path, precision: resolved.precision), recipe: resolved,
            seeds: list.seeds)
    }

    private func repeated(_ file: String) throws -> GenerationPlan {
        let texts = try SampleTexts(imageFile: file)
        guard let path = checkpoint ?? texts.recipe.checkpoint else {
            throw GenerationError("\(file): names no checkpoint; give it with --checkpoint")
        }
        let model = try LoadedModel(path: path, precision: texts.recipe.precision)
        guard model.digest == texts.digest else {
            throw GenerationError(
                "\(path): is not the checkpoint that made \(file) (sha256 \(texts.digest.prefix(12))…, found "
                    + "\(model.digest.prefix(12))…); give the right one with --checkpoint")
        }
        var recipe = texts.recipe
        // The same image may lie elsewhere now; its digest tells.
        if let image = bands.from { recipe.sampler.bands?.from = image }
        if let decoder { recipe.decoder = decoder }
        return try GenerationPlan(model: model, recipe: recipe, seeds: [texts.seed])
    }
}

/// What only models that draw band by band can do.
struct BandOptions: ParsableArguments {
    @Option(help: "Draw the image up to this band only, 1 for the coarsest.")
    var untilBand: Int?
    @Option(
        help: "Keep the low bands of this image and draw the rest anew; needs --keep-bands.",
        completion: .file())
    var from: String?
    @Option(help: "How many bands of --from are kept.")
    var keepBands: Int?

    var overrides: [SettingsOverride] {
        var overrides: [SettingsOverride] = []
        if let untilBand {
            overrides.append(SettingsOverride("bands.until", untilBand, option: "--until-band"))
        }
        if let keepBands {
            overrides.append(SettingsOverride("bands.keep", keepBands, option: "--keep-bands"))
        }
        if let from { overrides.append(SettingsOverride("bands.from", from, option: "--from", isText: true)) }
        return overrides
    }
}
