import Archives
import Images

/// Images in the IDX format of MNIST (LeCun, Cortes, Burges), plain or gzipped: a file of images `[N, H, W]` or
/// `[N, H, W, C]` and, if there are classes, one of labels `[N]`.
public struct IDXDataset: ImageDataset {
    public let source: String
    public let classNames: [String]
    private let images: IDXArray
    private let labels: IDXArray?

    /// - Parameters:
    ///   - path: the file of images, or a folder that holds it by MNIST's names (`train-images-idx3-ubyte`…).
    ///   - labels: the file of labels; by default the one whose name has `labels-idx1` for `images-idx3`, if it exists.
    ///   - isTest: with a folder, the `t10k` files.
    /// - Throws: `FileError`, `ArchiveError`, or `DatasetError` when a file is missing, cut short or of another shape.
    public init(path: String, labels: String? = nil, isTest: Bool = false) throws {
        source = path
        let file = try Self.imageFile(path, isTest: isTest)
        images = try IDXArray(path: file)
        guard images.shape.count == 3 || images.shape.count == 4,
            images.shape.dropFirst().allSatisfy({ $0 > 0 }),
            images.shape.count == 3 || images.shape[3] <= 4
        else {
            throw DatasetError(
                file, "an array of shape \(images.shape) is not a list of images",
                remedy: "give images [N, H, W] or [N, H, W, C] with at most 4 channels")
        }
        self.labels = try (labels ?? Self.labelFile(for: file)).map { try IDXArray(path: $0) }
        guard let found = self.labels else {
            classNames = []
            return
        }
        guard found.shape == [images.shape[0]] else {
            throw DatasetError(
                found.file, "labels of shape \(found.shape) do not fit \(images.shape[0]) images",
                remedy: "give the labels that belong to \(file)")
        }
        let highest = (0..<found.shape[0]).map { found.bytes[found.start + $0] }.max() ?? 0
        classNames = (0...Int(highest)).map(String.init)
    }

    /// Whether the path is an IDX file, or a folder with one by MNIST's names.
    static func isPresent(at path: String) -> Bool {
        if isFolder(path) {
            return (try? imageFile(path, isTest: false)) != nil || (try? imageFile(path, isTest: true)) != nil
        }
        let name = splitPath(path).name
        return name.contains("-idx") || name.contains(".idx")
    }

    private static func imageFile(_ path: String, isTest: Bool) throws -> String {
        guard isFolder(path) else { return path }
        let prefix = isTest ? "t10k-images" : "train-images"
        guard let name = try folderContents(path).first(where: { $0.hasPrefix(prefix) }) else {
            throw DatasetError(
                path, "there is no \(prefix)-idx3-ubyte in it", remedy: "give the folder with MNIST's files")
        }
        return joinPath(path, name)
    }

    private static func labelFile(for images: String) -> String? {
        let (folder, name) = splitPath(images)
        guard name.contains("images") else { return nil }
        let stem = name.replacing("images", with: "labels").replacing("idx3", with: "idx1")
        let plain = stem.hasSuffix(".gz") ? String(stem.dropLast(3)) : stem
        return [stem, plain, plain + ".gz"].map { joinPath(folder, $0) }.first(where: fileExists)
    }

    public var count: Int { images.shape[0] }
    public func label(at index: Int) -> Int? { labels.map { Int($0.bytes[$0.start + index]) } }
    public func name(at index: Int) -> String { "\(images.file), image \(index)" }

    public func image(at index: Int) throws -> Image {
        let (height, width) = (images.shape[1], images.shape[2])
        let channels = images.shape.count == 4 ? images.shape[3] : 1
        let size = height * width * channels
        let first = images.start + index * size
        return Image(
            width: width, height: height, channels: channels,
            samples: images.bytes[first..<first + size].array)
    }
}

/// The header of an IDX file of bytes, checked against the file's length.
private struct IDXArray: Sendable {
    let file: String
    let shape: [Int]
    let bytes: ByteSlice
    /// Where the values begin.
    let start: Int

    init(path: String) throws {
        let raw = try MappedFile(path: path).slice
        let bytes = Gzip.isGzip(raw) ? ByteSlice(try Gzip.inflate(raw, file: path)) : raw
        guard bytes.count >= 4, bytes[0] == 0, bytes[1] == 0 else {
            throw DatasetError(
                path, "it does not begin like an IDX file", remedy: "give MNIST's idx3-ubyte file")
        }
        guard bytes[2] == 0x08 else {
            throw DatasetError(
                path, "its values are of type \(bytes[2]), and bytes (type 8) are read",
                remedy: "convert it to bytes")
        }
        let rank = Int(bytes[3])
        var shape: [Int] = []
        var size = 1
        for axis in 0..<rank {
            guard let extent = bytes.integer(at: 4 + 4 * axis, as: UInt32.self)?.byteSwapped else { break }
            shape.append(Int(extent))
            let product = size.multipliedReportingOverflow(by: Int(extent))
            size = product.overflow ? Int.max : product.partialValue
        }
        start = 4 + 4 * rank
        guard rank > 0, shape.count == rank, size == bytes.count - start else {
            throw DatasetError(
                path, "its length does not fit its shape \(shape)", remedy: "fetch it again")
        }
        (file, self.shape, self.bytes) = (path, shape, bytes)
    }
}
