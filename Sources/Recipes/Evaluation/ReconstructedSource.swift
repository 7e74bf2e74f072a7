import Archives
import Checkpoints
import Images
import Metrics
import Tensors
import Training

/// What an autoencoder leaves of images, made when it is asked for; none is written.
struct ReconstructedSource: ImageSource {
    let autoencoder: LoadedAutoencoder
    /// At the autoencoder's size.
    let originals: any ImageSource

    var name: String { "\(autoencoder.path): reconstructions" }
    var count: Int { originals.count }
    var identity: String? { nil }
    var formats: Set<String> { [] }

    func images(_ range: Range<Int>) throws -> [Image] {
        try autoencoder.model.reconstruct(originals.images(range)).map(\.rgb)
    }
}

extension FRVAE {
    /// What is left of images of its size after coding.
    ///
    /// Each is coded on one thread, so that its bytes do not depend on those beside it.
    func reconstruct(_ images: [Image]) throws -> [Image] {
        let isGrey = codec.configuration.imageChannels == 1
        return try ComputeThreads.map(images) { image in
            Image(reconstruct(Tensor([image.eightBit().converted(to: isGrey ? .grey : .rgb)])))
        }
    }
}

/// Images brought to the size that an autoencoder takes. Smaller ones are refused: enlarged, they would say little of
/// how it codes.
struct AutoencoderInputs: ImageDataset {
    let base: any ImageDataset
    let autoencoder: LoadedAutoencoder

    var source: String { base.source }
    var count: Int { base.count }
    var classNames: [String] { base.classNames }
    func label(at index: Int) -> Int? { base.label(at: index) }
    func name(at index: Int) -> String { base.name(at: index) }

    func image(at index: Int) throws -> Image {
        let (image, size) = (try base.image(at: index), autoencoder.configuration.fixedSize)
        guard image.width >= size.width, image.height >= size.height else {
            throw EvaluationError(
                "\(base.name(at: index)): is \(image.width)×\(image.height), smaller than the "
                    + "\(size.width)×\(size.height) images of \(autoencoder.path); give images of at least that size"
            )
        }
        guard (image.width, image.height) != (size.width, size.height) else { return image }
        return image.admCenterCropped(width: size.width, height: size.height)
    }
}

extension LoadedAutoencoder {
    /// The autoencoder that a path given to `evaluate` names; nil when it names images.
    /// - Throws: `EvaluationError` for a checkpoint of another kind; errors of a damaged one.
    public static func evaluated(_ path: String) throws -> LoadedAutoencoder? {
        let isRun = fileExists(joinPath(path, "config.yaml")) || fileExists(joinPath(path, "checkpoints"))
        guard isRun || path.lowercased().hasSuffix(".safetensors") else { return nil }
        let kind = try Checkpoint(path: path).config?["model"]?["kind"]?.string
        guard let kind, AutoencoderModelSettings.Kind(rawValue: kind) != nil else {
            throw EvaluationError(
                "\(path): is no autoencoder, so it reconstructs nothing; score what a generator draws with --recipe NAME "
                    + "--checkpoint \(path), a denoiser with --add-noise 25")
        }
        return try LoadedAutoencoder(path: path)
    }

    /// The images of a path at this autoencoder's size.
    /// - Parameter limit: at most so many, drawn evenly.
    /// - Throws: errors of opening that name the file.
    func inputs(of path: String, limit: Int) throws -> any ImageSource {
        let base = try EvaluationReference.reals(path)
        return DatasetSource(
            dataset: AutoencoderInputs(base: Subset(base, limit: limit), autoencoder: self))
    }
}
