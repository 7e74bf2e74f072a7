import Archives
import Images

/// Which data set to train on, as settings files say it.
public struct DatasetSpecification: Sendable, Hashable, Codable {
    public enum Kind: String, Sendable, Codable, CaseIterable {
        /// A folder of images, in class subfolders or flat.
        case folder
        /// The same inside a zip.
        case zip
        /// The binary version of CIFAR-10.
        case cifar10
        /// MNIST's format.
        case idx
        /// Coloured shapes that need no files.
        case shapes
        /// What `sfumato encode` made of images.
        case latents
    }

    /// Which part of a data set that comes in two.
    public enum Part: String, Sendable, Codable, CaseIterable {
        case train, test
    }

    /// How the data is stored; nil to tell by looking at `path`.
    public var kind: Kind?
    /// The folder or file; not for `shapes`.
    public var path: String?
    /// The file of labels, for `idx` where its name does not follow from the images'.
    public var labels: String?
    public var part: Part?
    /// Number, size and seed of generated images, for `shapes`.
    public var count: Int?
    public var width: Int?
    public var height: Int?
    public var seed: UInt64?

    public init(
        kind: Kind? = nil, path: String? = nil, labels: String? = nil, part: Part? = nil, count: Int? = nil,
        width: Int? = nil, height: Int? = nil, seed: UInt64? = nil
    ) {
        (self.kind, self.path, self.labels, self.part) = (kind, path, labels, part)
        (self.count, self.width, self.height, self.seed) = (count, width, height, seed)
    }

    /// Opens a data set of images: lists what is there and decodes nothing.
    /// - Throws: `DatasetError`, `FileError` or `ArchiveError` that names the file or setting.
    public func open() throws -> any ImageDataset {
        let kind = try kind ?? detectKind()
        if kind == .shapes {
            return try ShapesDataset(
                count: count ?? 50_000, width: width ?? 32, height: height ?? 32, seed: seed ?? 0)
        }
        guard let path else {
            throw DatasetError(
                "data set", "the kind \(kind.rawValue) needs a path", remedy: "give its folder or file")
        }
        let isTest = part == .test
        switch kind {
        case .zip: return try ZipDataset(path: path)
        case .cifar10: return try CIFARDataset(path: path, isTest: isTest)
        case .idx: return try IDXDataset(path: path, labels: labels, isTest: isTest)
        case .latents:
            throw DatasetError(
                path, "it holds latents, and images are needed",
                remedy: "make images of them with sfumato decode, or set data.kind=latents to train on them")
        case .folder, .shapes:
            guard isFolder(path) else {
                throw DatasetError(
                    path, fileExists(path) ? "it is not a folder" : "there is no such folder",
                    remedy: "check the path")
            }
            return try FolderDataset(path: path)
        }
    }

    private func detectKind() throws -> Kind {
        guard let path else { return .shapes }
        guard fileExists(path) else {
            throw DatasetError(path, "there is no such folder or file", remedy: "check the path")
        }
        if CIFARDataset.isPresent(at: path) { return .cifar10 }
        if IDXDataset.isPresent(at: path) { return .idx }
        if LatentDataset.isPresent(at: path) { return .latents }
        if isFolder(path) { return .folder }
        if ZipArchive.isZip(try MappedFile(path: path).slice) { return .zip }
        throw DatasetError(
            path, "it is neither a folder, a zip, CIFAR-10's binary form nor an IDX file",
            remedy: "give one of these, or state its kind")
    }
}
