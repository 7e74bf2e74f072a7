import ArgumentParser
import Recipes
import Training

extension EncodingSettings.Kept: ExpressibleByArgument {}
extension EncodingSettings.Fit: ExpressibleByArgument {}
extension EncodingSettings.Precision: ExpressibleByArgument {}
extension BadImagePolicy: ExpressibleByArgument {}

struct Encode: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make latents of images, for models that are trained on them.",
        discussion: """
            Examples:
              sfumato encode photos.zip --autoencoder kl16.safetensors --size 256 --out outputs/latents
              sfumato encode photos --autoencoder kl8-sdxl.safetensors --size 512x384 --keep moments --mirrored
              sfumato train configs/mine.yaml --set data.kind=latents --set data.path=outputs/latents

            The autoencoder is one that sfumato convert wrote (kl16-mar, kl8-sdxl, kl8-sd). The folder gets files of \
            --part-size images each, which appear whole or not at all; the same command again makes only those that are \
            missing. Latents are scaled as a generator sees them. Images are brought to --size, whose sides must be \
            multiples of the autoencoder's factor; one is in work on each thread, so memory does not grow with their number.
            """)

    @Argument(help: "Images: a folder, a zip, or CIFAR-10's or MNIST's files.", completion: .file())
    var images: String
    @Option(
        help: "An autoencoder that sfumato convert wrote.", completion: .file(extensions: ["safetensors"]))
    var autoencoder: String
    @Option(name: .shortAndLong, help: "The folder for the latents.")
    var out = "outputs/latents"
    @Option(help: "Width and height of the images, as 256 or 384x256.")
    var size = ImageSize(256)
    @Option(help: "How an image comes to the size: centerCrop or stretch.")
    var fit = EncodingSettings.Fit.centerCrop
    @Option(help: "What is kept: the mean, one sample, or the moments, from which a training draws afresh.")
    var keep = EncodingSettings.Kept.mean
    @Option(help: "Of --keep sample.")
    var seed: UInt64 = 0
    @Flag(help: "Encode mirrored images as well, so that a training can flip.")
    var mirrored = false
    @Option(help: "How latents are stored: float32 or float16.")
    var precision = EncodingSettings.Precision.float32
    @Option(help: "Images of one file.")
    var partSize = 256
    @Option(help: "A damaged image is left out and reported (skip), or stops (error).")
    var onBadImage = BadImagePolicy.skip
    @Flag(help: "Print what would be done, and end.")
    var dryRun = false
    @OptionGroup var compute: ThreadOptions

    func validate() throws {
        if partSize < 1 { throw ValidationError("--part-size must be at least 1, found \(partSize).") }
    }

    func run() throws {
        compute.apply()
        var settings = EncodingSettings()
        (settings.size, settings.fit, settings.kept, settings.seed) = (size, fit, keep, seed)
        (settings.mirrored, settings.precision, settings.partSize) = (mirrored, precision, partSize)
        let encoding = try LatentEncoding(
            DatasetSpecification(path: images).open(), autoencoder: LoadedKLAutoencoder(path: autoencoder),
            settings: settings, folder: out, onBadImage: onBadImage)
        guard !dryRun else { return print(encoding.description) }
        var progress = ProgressLine("encoding", total: encoding.imageCount, unit: "images")
        Interruption.watch()
        let isComplete = try encoding.run(until: { Interruption.isRequested }) { event in
            switch event {
            case .advanced(let count): progress.advance(by: count)
            case .skipped(let image): Terminal.warning("\(image); it is left out")
            case .written: break
            }
        }
        progress.end()
        guard isComplete else {
            Terminal.note("stopped; the same command goes on")
            throw ExitCode(130)
        }
        print(out)
    }
}
