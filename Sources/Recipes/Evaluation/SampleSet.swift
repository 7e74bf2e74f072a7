import Archives
import Checkpoints
import Images
import Training

/// Images to be scored: any data set, or the NumPy archive that ADM's evaluation reads.
public enum SampleSet {
    /// - Parameter path: a folder, a zip, CIFAR-10's or MNIST's files, or an `.npz` whose first array holds uint8
    ///   images `[N, H, W, 3]`.
    /// - Throws: errors of opening that name the file.
    public static func open(_ path: String) throws -> any ImageDataset {
        if path.lowercased().hasSuffix(".npz"), !isFolder(path) { return try ArrayDataset(path: path) }
        return try DatasetSpecification(path: path).open()
    }
}

/// Images of an `.npz` file.
struct ArrayDataset: ImageDataset {
    let source: String
    let count: Int
    private let pixels: StoredTensor

    init(path: String) throws {
        source = path
        let arrays = try NumPyArchive.read(path: path)
        guard let images = arrays.first(where: { $0.name == "arr_0" }) ?? arrays.first, images.type == .uint8,
            images.shape.count == 4, [1, 3].contains(images.shape[3]), images.shape[0] > 0
        else {
            throw DatasetError(
                path, "it holds no uint8 images [N, H, W, 3]", remedy: "write it with sfumato generate --npz")
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
