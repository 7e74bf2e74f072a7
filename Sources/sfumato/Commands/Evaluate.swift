import Archives
import ArgumentParser
import Checkpoints
import Metrics
import Recipes

struct Evaluate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Score samples against real images.",
        discussion: """
            Examples:
              sfumato evaluate outputs/samples --against cifar10.zip
              sfumato evaluate samples.npz --against configs/cifar10-dico.yaml --metrics prdc,spectrum --json
              sfumato evaluate --recipe cifar10-dico -n 10000 --against cifar10.zip --report report.html
              sfumato evaluate samples.npz --against VIRTUAL_imagenet256_labeled.npz --metrics fid,sfid,is \
            --inception pt_inception-2015-12-05-6726825d.pth
              sfumato evaluate restored --against clean --metrics psnr,ssim
              sfumato evaluate dncnn_25.pth --against Set12 --add-noise 15,25,50 --metrics psnr,ssim
              sfumato evaluate denoise-nafnet-tunable --against cbsd68 --add-noise 25 --set strength=0.5
              sfumato evaluate outputs/cifar10-frvae --against configs/cifar10-frvae.yaml -n 1000
              sfumato evaluate frvae.safetensors --against photos.zip --inception \
            pt_inception-2015-12-05-6726825d.pth --json

            Beside each value stands what real images score that were held out of the reference, as many as there are \
            samples: the value of a perfect model.
            Sets: \(Metric.all.map(\.name).joined(separator: ", ")).
            Pairs, in the order of names: \(PairMetric.allCases.map(\.rawValue).joined(separator: ", ")).
            Groups: \(Metric.groups.keys.sorted().joined(separator: ", ")).
            With --add-noise, SAMPLES is a denoiser (a model, or a recipe of samplers/): noise is added to the images of \
            --against, the same on every machine, and what the denoiser makes of them is scored against them.
            An autoencoder (a checkpoint, or a run's folder) as SAMPLES is scored by what it leaves of the images of --against, \
            brought to its size by cropping their middle: psnr, ssim and fd-feat, with --inception also fid (the rFID of papers), \
            against the images themselves. -n takes so many of them; of a file of configs/ those held out are taken.
            FID, its relatives and KID need Inception's weights; the usual metrics come with the program.
            """)

    @Argument(
        help: "A folder, zip or npz of images; or an autoencoder, whose reconstructions are scored.",
        completion: .file())
    var samples: String?
    @Option(
        help: "Real images or statistics: a folder, zip or npz, or a file of configs/ whose data is taken.")
    var against: String
    @Option(help: "Real images that are not in --against (default: some are taken out of it).")
    var heldOut: String?
    @Option(
        help: "Only these metrics or groups, separated by commas.",
        transform: { $0.split(separator: ",").map { $0.filter { $0 != " " } } })
    var metrics: [String] = []
    @Option(help: "At most so many reference images.")
    var limit = 10_000
    @Option(
        help: ArgumentHelp(
            "Score SAMPLES as a denoiser of Gaussian noise of these σ of 255.", valueName: "sigma,sigma,…"),
        transform: Evaluate.sigmas)
    var addNoise: [Double] = []
    @Option(help: "Which noise --add-noise adds; image i gets seed 1000000 · this + i.")
    var realisation = 1

    @OptionGroup(title: "Samples made on the way, never written") var generation: GenerationOptions
    @OptionGroup(title: "Networks") var networks: NetworkOptions

    @Option(help: "Also write one page with numbers, samples, neighbours and spectra.", completion: .file())
    var report: String?
    @Flag(help: "Print the result as JSON.")
    var json = false
    @OptionGroup var settings: OverrideOptions
    @OptionGroup var compute: ThreadOptions

    func validate() throws {
        if limit < 2 { throw ValidationError("--limit must be at least 2, found \(limit).") }
        guard (samples == nil) != (generation.recipe == nil) else {
            throw ValidationError("Give samples, or a recipe that makes them with --recipe.")
        }
        guard !addNoise.isEmpty else {
            if !settings.texts.isEmpty, generation.recipe == nil {
                throw ValidationError(
                    "--set changes a recipe: give --recipe, or a denoiser with --add-noise.")
            }
            return
        }
        guard samples != nil else { throw ValidationError("--add-noise needs a denoiser as SAMPLES.") }
        let pairs = [PairMetric.psnr, .ssim].map(\.rawValue)
        if let other = metrics.first(where: { !pairs.contains($0) }) {
            throw ValidationError("--add-noise scores \(pairs.joined(separator: " and ")), not \(other).")
        }
        if realisation < 0 {
            throw ValidationError("--realisation must be at least 0, found \(realisation).")
        }
    }

    func run() throws {
        compute.apply()
        if !addNoise.isEmpty, let samples { return try scoreDenoiser(samples) }
        let autoencoder = try samples.flatMap(LoadedAutoencoder.evaluated)
        if autoencoder != nil, heldOut != nil {
            throw EvaluationError(
                "--held-out is for samples, and \(samples ?? "this") is an autoencoder, whose reconstructions are scored against their images; leave it out"
            )
        }
        let evaluation = try Evaluation(request(autoencoder))
        var progress = ProgressLine("measuring", total: evaluation.imageCount, unit: "images")
        let result = try evaluation.report { progress.advance(by: $0) }
        progress.end()
        for warning in result.warnings { Terminal.warning(warning) }
        if let path = networks.saveStatistics {
            try NumPyArchive.write(try evaluation.sampleStatistics(), to: path)
        }
        if let report { try AtomicFile.write(try evaluation.page(result), to: report) }
        if json { result.json.printLine() } else { print(result.text) }
    }

    private static func sigmas(_ text: String) throws -> [Double] {
        try text.split(separator: ",").map { part in
            guard let sigma = Double(part.filter { $0 != " " }), (0...1000).contains(sigma) else {
                throw ValidationError("--add-noise needs numbers in 0…1000, found \(part).")
            }
            return sigma
        }
    }

    private func scoreDenoiser(_ model: String) throws {
        let evaluation = try DenoiserEvaluation(
            DenoisingRecipe.resolve([model], overrides: settings.overrides()).recipe, images: against,
            sigmas: addNoise, realisation: realisation, limit: limit)
        var progress = ProgressLine("denoising", total: evaluation.imageCount, unit: "images")
        var notes: Set<String> = []
        Interruption.watch()
        let levels = try evaluation.levels {
            progress.advance(by: 1)
            return !Interruption.isRequested
        } onNote: {
            // What holds for every image is said once.
            if notes.insert($0.split(separator: ": ").last.map(String.init) ?? $0).inserted {
                Terminal.warning($0)
            }
        }
        progress.end()
        if json { levels.json.printLine() } else { print(levels.text) }
        if levels.reduce(0, { $0 + $1.report.entries.count }) < evaluation.imageCount { throw ExitCode(130) }
    }

    private func request(_ autoencoder: LoadedAutoencoder?) throws -> EvaluationRequest {
        var request = EvaluationRequest(
            samples: samples, generation: try generation.plan(settings.overrides()), against: against)
        request.autoencoder = autoencoder
        (request.heldOut, request.metrics, request.limit) = (heldOut, metrics, limit)
        if autoencoder != nil, let count = generation.count { request.limit = count }
        (request.inception, request.mode) = (networks.inception, networks.mode)
        (request.lpips, request.lpipsTrunk, request.lpipsHeads) = (
            networks.lpips, networks.lpipsTrunk, networks.lpipsHeads
        )
        request.cache = networks.noCache ? nil : networks.cache
        return request
    }
}

/// `--recipe` and what goes with it.
struct GenerationOptions: ParsableArguments {
    @Option(help: "A recipe: a YAML file, or a name from samplers/.")
    var recipe: String?
    @Option(help: "A checkpoint or run's folder instead of the recipe's.")
    var checkpoint: String?
    @Option(
        name: [.customShort("n"), .customLong("count")],
        help: "How many images (default: 1000; of an autoencoder's as many as --limit says).")
    var count: Int?
    @Option(help: "The seed of the first image; the others follow.")
    var seed: UInt64?

    func validate() throws {
        if let count, count < 2 { throw ValidationError("-n must be at least 2, found \(count).") }
    }

    func plan(_ overrides: [SettingsOverride]) throws -> GenerationPlan? {
        guard let recipe else { return nil }
        let file = try ProjectFiles.recipe(recipe)
        let resolved = try SamplingRecipe(recipeFile: file, overrides: overrides)
        guard let path = checkpoint ?? resolved.checkpoint else {
            throw GenerationError("\(file): names no checkpoint; give one with --checkpoint")
        }
        let seeds = try SeedList(count: count ?? 1000, from: seed ?? resolved.seed).seeds
        return try GenerationPlan(
            model: LoadedModel(path: path, precision: resolved.precision), recipe: resolved, seeds: seeds)
    }
}

/// Weights that come from elsewhere, and what is kept of their work.
struct NetworkOptions: ParsableArguments {
    @Option(
        help:
            "Weights of the FID network: pt_inception-2015-12-05-6726825d.pth, or safetensors with its names."
    )
    var inception: String?
    @Option(help: "How images are resized and scaled for it: tf1, pytorch-fid or clean.")
    var mode = InceptionMode.tensorFlow1
    @Option(help: "The folder where its features are kept: an interrupted evaluation goes on from there.")
    var cache = "outputs/evaluation-cache"
    @Flag(help: "Keep no features.")
    var noCache = false
    @Option(help: "Also write the samples' Inception statistics as an npz, for --against.")
    var saveStatistics: String?
    @Option(help: "The network of LPIPS: alex, vgg or squeeze.")
    var lpips = PerceptualDistance.Backbone.alex
    @Option(help: "Its weights: torchvision's file, or a saved LPIPS module.")
    var lpipsTrunk: String?
    @Option(help: "Its heads: alex.pth, vgg.pth or squeeze.pth of the LPIPS package.")
    var lpipsHeads: String?
}

extension InceptionMode: ExpressibleByArgument {}
extension PerceptualDistance.Backbone: ExpressibleByArgument {}
