import Archives
import ArgumentParser
import Recipes

struct Denoise: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Remove noise from images.",
        discussion: """
            Examples:
              sfumato denoise photo.png
              sfumato denoise ffdnet_color.safetensors photo.jpg --sigma auto -o clean
              sfumato denoise model.pth scans -o clean --recursive --compare
              sfumato denoise denoise-nafnet-tunable photo.png -o soft.png --set strength=0.5
              sfumato denoise dncnn_25.pth Set12 --add-noise 25 --no-images

            Without a model, the one that ships with the project is used (samplers/\(DenoisingRecipe.usualName).yaml). \
            DnCNN, FDnCNN, FFDNet, DRUNet and NAFNet run from published files (.safetensors, .pth, .mat) as from runs of \
            sfumato train, DiCo from runs. Depth, alpha, texts and EXIF of an image are kept; results are PNG unless --out names a .jpg. A grey \
            model does the channels of a colour image one by one. With --reference or --add-noise, PSNR and SSIM are \
            printed: samples rounded as they are stored, no border left out. A file that cannot be denoised is reported, \
            the rest goes on, and the exit status is 1.
            """)

    @Argument(
        help: "A model or a recipe of samplers/, then images or folders of images; or images alone.",
        completion: .file())
    var paths: [String]
    @Option(name: .shortAndLong, help: "The folder for results, or the file for a single image.")
    var out = "outputs/denoised"
    @Flag(help: "Look for images in folders of folders.")
    var recursive = false
    @Option(
        help: ArgumentHelp(
            "Noise level of 255: a number, auto to estimate it, or a grey image whose samples are σ.",
            valueName: "sigma|auto|map.png"))
    var sigma: SigmaArgument?
    @Flag(help: "Denoise in eight positions and take the mean: eight times as long, a little better.")
    var ensemble = false
    @Option(
        help: "Cut images into tiles of this side; 0 never cuts (default: 512 for images above 2 megapixels)."
    )
    var tile: Int?
    @Option(help: "Pixels around a tile that are computed with it (default: as far as the network looks).")
    var overlap: Int?
    @Option(
        help:
            "Replace the global means of a NAFNet or DiCo by local ones, as trained on crops of this side (TLC)."
    )
    var localMeans: Int?
    @Option(help: "A clean image, or a folder with one of the same name for each, to score against.")
    var reference: String?
    @Option(help: "Add Gaussian noise of this σ first and score against the image itself.")
    var addNoise: Double?
    @Option(help: "Which noise --add-noise adds; image i gets seed 1000000 · this + i.")
    var realisation = 1
    @Flag(help: "Also write before, after and difference beside each result, as NAME-compare.png.")
    var compare = false
    @Flag(inversion: .prefixedNo, help: "Write the results.")
    var images = true
    @Flag(help: "Replace files that exist.")
    var overwrite = false
    @Flag(help: "Print what was done as JSON.")
    var json = false
    @OptionGroup var settings: OverrideOptions
    @OptionGroup var compute: ThreadOptions

    func validate() throws {
        func require(_ condition: Bool, _ message: String) throws {
            if !condition { throw ValidationError(message) }
        }
        try require(paths.count > 1 || DenoisingRecipe.isImages(paths[0]), "Give at least one image.")
        try require(
            tile.map { $0 == 0 || $0 >= 16 } ?? true, "--tile must be 0 or at least 16, found \(tile ?? 0).")
        try require((overlap ?? 0) >= 0, "--overlap must be at least 0, found \(overlap ?? 0).")
        try require((localMeans ?? 16) >= 16, "--local-means must be at least 16, found \(localMeans ?? 0).")
        try require(
            addNoise.map { (0...1000).contains($0) } ?? true,
            "--add-noise must be in 0…1000, found \(addNoise ?? 0).")
        try require(realisation >= 0, "--realisation must be at least 0, found \(realisation).")
        try require(images || !compare, "--compare writes pictures; leave out --no-images.")
    }

    func run() throws {
        compute.apply()
        let (recipe, inputs) = try request()
        Terminal.warnIfMissing(recipe.precision)
        let denoiser = try ImageDenoiser(recipe, sigma: sigma?.choice)
        var options = DenoisingPlan.Options(out: images ? out : nil)
        (options.isRecursive, options.overwrites) = (recursive, overwrite)
        (options.compares, options.reference) = (compare, reference)
        let plan = try DenoisingPlan(inputs: inputs, options: options)
        var run = DenoisingRun(plan, denoiser)
        (run.addedSigma, run.realisation) = (addNoise, realisation)
        Interruption.watch()
        let report = denoise(run)
        print(report)
        if report.entries.count + report.failures.count < plan.items.count { throw ExitCode(130) }
        if !report.failures.isEmpty { throw ExitCode.failure }
    }

    /// The recipe with the options on top, and the images.
    private func request() throws -> (recipe: DenoisingRecipe, inputs: [String]) {
        var (recipe, inputs) = try DenoisingRecipe.resolve(paths, overrides: settings.overrides())
        recipe.ensemble = recipe.ensemble || ensemble
        recipe.tile = tile ?? recipe.tile
        recipe.overlap = overlap ?? recipe.overlap
        recipe.localMeans = localMeans ?? recipe.localMeans
        return (recipe, inputs)
    }

    private func denoise(_ run: DenoisingRun) -> DenoisingReport {
        let kilobytes = run.plan.items.reduce(0) { $0 + $1.byteCount } / 1000
        var progress = ProgressLine("denoising", total: max(1, kilobytes), unit: "kB")
        var (bytes, notes) = (0, Set<String>())
        let report = run.run { event in
            switch event {
            case .progress(let count, let item):
                bytes += count
                progress.advance(by: bytes / 1000, detail: item.name)
                bytes %= 1000
            // What holds for every image of a folder is said once.
            case .note(let text, let item):
                if notes.insert(text).inserted { Terminal.warning("\(item.input): \(text)") }
            case .failed(let text, _): Terminal.error(text)
            case .finished: break
            }
            return !Interruption.isRequested
        }
        progress.end()
        return report
    }

    private func print(_ report: DenoisingReport) {
        if json { return report.json.printLine() }
        if report.isScored { return Swift.print(report.text) }
        for entry in report.entries {
            let sigma = entry.sigma.map { "  σ \(TextTable.fixed($0, digits: 1))" } ?? ""
            Swift.print((entry.output ?? entry.input) + sigma)
        }
    }
}

/// `25`, `auto`, or the path of a map.
struct SigmaArgument: ExpressibleByArgument {
    let choice: SigmaChoice

    init?(argument: String) {
        if argument == "auto" {
            choice = .estimated
        } else if let value = Double(argument) {
            guard (0...1000).contains(value) else { return nil }
            choice = .level(value)
        } else if DenoisingPlan.isImageName(argument) {
            choice = .map(path: argument)
        } else {
            return nil
        }
    }
}
