import Archives
import ArgumentParser
import Recipes

struct Decode: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make images of latents.",
        discussion: """
            Examples:
              sfumato decode outputs/latents --autoencoder kl16.safetensors --out outputs/decoded
              sfumato decode outputs/samples/samples.npz --autoencoder kl8-sd.safetensors

            Latents are a folder of sfumato encode, or an .npz, .safetensors or .pth with an array [N, h, w, c] scaled as a \
            generator sees them, as sfumato generate --npz --no-images writes it. Of a folder with classes the images go \
            into a folder for each.
            """)

    @Argument(help: "A folder of sfumato encode, or a file with an array of latents.", completion: .file())
    var latents: String
    @Option(
        help: "An autoencoder that sfumato convert wrote.", completion: .file(extensions: ["safetensors"]))
    var autoencoder: String
    @Option(name: .shortAndLong, help: "The folder for the images.")
    var out = "outputs/decoded"
    @Flag(help: "Replace files that exist.")
    var overwrite = false
    @OptionGroup var compute: ThreadOptions

    func run() throws {
        compute.apply()
        let decoding = try LatentDecoding(
            latents: latents, autoencoder: LoadedKLAutoencoder(path: autoencoder))
        let count = decoding.latents.count
        let names = (0..<count).map { joinPath(out, decoding.fileName($0)) }
        if !overwrite, let first = names.first(where: fileExists) {
            throw GenerationError("\(first): already exists; choose another --out, or add --overwrite")
        }
        try makeFolder(out)
        for name in decoding.latents.classNames { try makeFolder(joinPath(out, name)) }
        var progress = ProgressLine("decoding", total: count, unit: "images")
        Interruption.watch()
        let isComplete = try decoding.run { range, images in
            for (place, image) in zip(range, images) { try image.write(to: names[place]) }
            progress.advance(by: range.count)
            return !Interruption.isRequested
        }
        progress.end()
        guard isComplete else { throw ExitCode(130) }
        print(out)
    }
}
