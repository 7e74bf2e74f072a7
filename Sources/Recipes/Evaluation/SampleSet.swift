import Archives
import Checkpoints
import Images
import Metrics
import Training

/// What a path given to `evaluate` holds: images, statistics made of images, or both.
public struct SampleSet: Sendable {
    public let images: (any ImageDataset)?
    /// Statistics of Inception features from a file.
    public let statistics: SampleSetMeasures?

    /// - Parameter path: a folder, a zip, CIFAR-10's or MNIST's files, or an `.npz`: uint8 images `[N, H, W, 3]` as ADM's
    ///   evaluation reads them, statistics `mu` and `sigma`, or both.
    /// - Throws: errors of opening that name the file.
    public init(path: String) throws {
        guard path.lowercased().hasSuffix(".npz"), !isFolder(path) else {
            (images, statistics) = (try DatasetSpecification(path: path).open(), nil)
            return
        }
        try Self.checkSizes(path)
        let arrays = try NumPyArchive.read(path: path)
        statistics = try StatisticsFile.measures(arrays, file: path)
        let stored = arrays.first { $0.name == "arr_0" } ?? (statistics == nil ? arrays.first : nil)
        images = try stored.map { try ArrayDataset($0, path: path) }
        guard images != nil || statistics != nil else {
            throw DatasetError(
                path, "it holds neither images nor statistics (mu, sigma)",
                remedy: "write images with sfumato generate --npz")
        }
    }

    /// The images of a path.
    /// - Throws: also when it holds statistics only.
    public static func open(_ path: String) throws -> any ImageDataset {
        guard let images = try SampleSet(path: path).images else {
            throw DatasetError(
                path, "it holds statistics, no images", remedy: "give them to --against, and images here")
        }
        return images
    }

    /// Compressed arrays are held in memory, others are read where they lie.
    private static func checkSizes(_ path: String) throws {
        let limit = 8 << 30
        for entry in try ZipArchive(path: path).entries where !entry.isStored && entry.size > limit {
            throw DatasetError(
                path, "\(entry.name) unpacks to \(entry.size >> 30) GiB", remedy: "store it uncompressed")
        }
    }
}

/// Images of an `.npz` file.
struct ArrayDataset: ImageDataset {
    let source: String
    let count: Int
    private let pixels: StoredTensor

    init(_ images: StoredTensor, path: String) throws {
        source = path
        guard images.type == .uint8, images.shape.count == 4, [1, 3].contains(images.shape[3]) else {
            throw DatasetError(
                path,
                "\(images.name) is \(images.type.rawValue) \(images.shape), no uint8 images [N, H, W, 3]",
                remedy: "write it with sfumato generate --npz")
        }
        guard images.elementCount > 0 else {
            throw DatasetError(path, "\(images.name) holds no image", remedy: "give at least two images")
        }
        pixels = images
        count = images.shape[0]
    }

    var classNames: [String] { [] }
    func label(at index: Int) -> Int? { nil }
    func name(at index: Int) -> String { "\(source), image \(index)" }

    func image(at index: Int) throws -> Image {
        let (height, width, channels) = (pixels.shape[1], pixels.shape[2], pixels.shape[3])
        let size = height * width * channels
        let samples = pixels.bytes.withBytes { Array($0[index * size..<(index + 1) * size]) }
        return Image(width: width, height: height, channels: channels, samples: samples)
    }
}
