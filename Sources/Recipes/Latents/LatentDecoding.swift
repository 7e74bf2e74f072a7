import Archives
import Checkpoints
import Images
import Layers
import Tensors
import Training

/// Decodes latents into images: a set that `sfumato encode` made, or arrays of other origin.
public struct LatentDecoding: Sendable {
    public let autoencoder: LoadedKLAutoencoder
    public let latents: any LatentSource

    /// - Throws: `GenerationError` when the latents are not those of the autoencoder; errors of the files.
    public init(latents path: String, autoencoder: LoadedKLAutoencoder) throws {
        self.autoencoder = autoencoder
        latents = try isFolder(path) ? LatentDataset(path: path) : LatentArray(path: path)
        if let dataset = latents as? LatentDataset {
            try autoencoder.check(LatentConfiguration(dataset).autoencoder, of: path)
        }
        guard latents.channels == autoencoder.identity.latentChannels else {
            throw GenerationError(
                "\(path): its latents have \(latents.channels) channels, \(autoencoder.path) decodes "
                    + "\(autoencoder.identity.latentChannels)")
        }
        try autoencoder.check(imageSize)
    }

    public var imageSize: ImageSize {
        let stride = autoencoder.identity.stride
        return ImageSize(width: latents.width * stride, height: latents.height * stride)
    }

    /// Where an image belongs below a folder: `00000012.png`, in a folder of its class where there are classes.
    public func fileName(_ index: Int) -> String {
        let digits = String(index)
        let name = String(repeating: "0", count: max(0, 8 - digits.count)) + digits + ".png"
        return latents.label(at: index).map { "\(latents.classNames[$0])/\(name)" } ?? name
    }

    /// Decodes as many at a time as there are threads.
    /// - Parameter body: given the places and the images; false stops.
    /// - Returns: whether all were decoded.
    public func run(_ body: (Range<Int>, [Image]) throws -> Bool) rethrows -> Bool {
        let step = autoencoder.concurrency(imageSize)
        for first in stride(from: 0, to: latents.count, by: step) {
            let range = first..<min(first + step, latents.count)
            let batch = Tensor.concatenateSamples(range.map { latents.latent(at: $0) })
            guard try body(range, Image.batch(autoencoder.images(of: batch))) else { return false }
        }
        return true
    }
}

extension LoadedKLAutoencoder {
    /// - Throws: `GenerationError` when latents were scaled in another way than this autoencoder's.
    func check(_ other: AutoencoderIdentity, of path: String) throws {
        let own = identity
        for (name, a, b) in [
            ("latentChannels", "\(own.latentChannels)", "\(other.latentChannels)"),
            ("stride", "\(own.stride)", "\(other.stride)"), ("scale", "\(own.scale)", "\(other.scale)"),
            ("shift", "\(own.shift)", "\(other.shift)"),
        ] where a != b {
            throw GenerationError(
                "\(self.path): is not the autoencoder of \(path): its \(name) is \(a), found \(b); give the one "
                    + "the latents were made with (sha256 \(other.digest.prefix(12))…)")
        }
    }
}

/// Numbered latents.
public protocol LatentSource: Sendable {
    var width: Int { get }
    var height: Int { get }
    var channels: Int { get }
    var count: Int { get }
    var classNames: [String] { get }
    func label(at index: Int) -> Int?
    /// `[1, h, w, c]`, scaled as a generator sees them.
    func latent(at index: Int) -> Tensor
}

extension LatentDataset: LatentSource {}

/// Latents `[N, h, w, c]` in a file of other origin: samples of `sfumato generate --npz --no-images`, for one.
struct LatentArray: LatentSource {
    private let tensor: StoredTensor

    /// - Throws: `CheckpointFileError` when the file holds no such array; `FileError`.
    init(path: String) throws {
        let tensors = try WeightsFile.read(path: path)
        let candidates = tensors.filter { $0.shape.count == 4 && $0.type.isFloatingPoint }
        guard
            let tensor = candidates.first(where: { ["latents", "arr_0"].contains($0.name) })
                ?? candidates.first,
            tensor.elementCount > 0
        else {
            throw CheckpointFileError(
                file: path,
                problem: "holds no latents: an array [N, h, w, c] of numbers named latents or arr_0")
        }
        self.tensor = tensor
    }

    var count: Int { tensor.shape[0] }
    var height: Int { tensor.shape[1] }
    var width: Int { tensor.shape[2] }
    var channels: Int { tensor.shape[3] }
    var classNames: [String] { [] }
    func label(at index: Int) -> Int? { nil }

    func latent(at index: Int) -> Tensor {
        let size = height * width * channels * tensor.type.byteCount
        let row = StoredTensor(
            name: tensor.name, shape: [1, height, width, channels], type: tensor.type,
            bytes: tensor.bytes[index * size..<(index + 1) * size])
        return row.tensor
    }
}
