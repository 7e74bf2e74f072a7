import Archives
import Glibc
import Images

/// Images in a folder: one subfolder per class, or images alone (see `ImageListing` for the rules).
public struct FolderDataset: ImageDataset {
    public let source: String
    private let listing: ImageListing

    /// - Throws: `FileError` when the folder cannot be read, `DatasetError` when it holds no usable images.
    public init(path: String) throws {
        source = path
        var files: [String] = []
        var folders: [String] = []
        try Self.list(path, below: "", depth: 0, files: &files, folders: &folders)
        listing = try ImageListing(source: path, files: files, folders: folders)
    }

    public var count: Int { listing.samples.count }
    public var classNames: [String] { listing.classNames }
    public func label(at index: Int) -> Int? { listing.label(at: index) }
    public func name(at index: Int) -> String { joinPath(source, listing.samples[index].path) }
    public func image(at index: Int) throws -> Image { try Image(path: name(at: index)) }

    /// Everything under a folder. Links are followed, but no deeper than sixteen folders, so that a circle ends.
    private static func list(
        _ folder: String, below prefix: String, depth: Int, files: inout [String], folders: inout [String]
    ) throws {
        for name in try folderContents(folder) where !ImageListing.isHidden(name) {
            if ImageListing.isImageName(name) {
                files.append(prefix + name)
            } else if depth < 16, isFolder(joinPath(folder, name)) {
                folders.append(prefix + name)
                try list(
                    joinPath(folder, name), below: prefix + name + "/", depth: depth + 1, files: &files,
                    folders: &folders)
            }
        }
    }
}

/// The same as `FolderDataset`, inside a zip file that is never unpacked.
public struct ZipDataset: ImageDataset {
    public let source: String
    private let archive: ZipArchive
    private let entries: [ZipEntry]
    private let listing: ImageListing

    /// - Throws: `FileError` or `ArchiveError` when the zip cannot be read, `DatasetError` when it holds no usable images.
    public init(path: String) throws {
        source = path
        archive = try ZipArchive(path: path)
        let files = archive.entries.filter { !$0.isFolder }
        let folders = archive.entries.filter(\.isFolder).map { String($0.name.dropLast()) }
        listing = try ImageListing(source: path, files: files.map(\.name), folders: folders)
        let byName = Dictionary(files.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        entries = listing.samples.compactMap { byName[$0.path] }
    }

    public var count: Int { entries.count }
    public var classNames: [String] { listing.classNames }
    public func label(at index: Int) -> Int? { listing.label(at: index) }
    public func name(at index: Int) -> String { "\(source): \(entries[index].name)" }
    public func image(at index: Int) throws -> Image {
        try Image(decoding: archive.contents(of: entries[index]), name: name(at: index))
    }
}

extension ImageListing {
    func label(at index: Int) -> Int? { samples[index].label < 0 ? nil : samples[index].label }
}

/// Whether the path leads to a folder, through links.
func isFolder(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
}
