/// The images and classes told by a tree of names: `cat/1.jpg`, `dog/a/2.png`.
///
/// The first folder is the class, classes and images are sorted by the bytes of their names. Without folders the
/// images have no classes. A single folder around everything is seen through, so that a zip of a folder equals the
/// folder. Names that begin with a dot and `__MACOSX` are not looked at, nor are files that are not named like images.
struct ImageListing: Sendable {
    let classNames: [String]
    /// Paths below the root, and the class of each (−1 for none).
    let samples: [(path: String, label: Int)]

    /// Extensions of the formats that are read; the contents decide, the name only says what to try.
    static func isImageName(_ name: String) -> Bool {
        guard let dot = name.lastIndex(of: ".") else { return false }
        return ["png", "jpg", "jpeg"].contains(name[name.index(after: dot)...].lowercased())
    }

    static func isHidden(_ component: some StringProtocol) -> Bool {
        component.hasPrefix(".") || component == "__MACOSX"
    }

    /// - Parameters:
    ///   - files: relative paths with `/`.
    ///   - folders: relative paths of folders, so that empty ones are noticed.
    /// - Throws: `DatasetError` when there are no images, a class has none, or some images have a class and others not.
    init(source: String, files: [String], folders: [String]) throws {
        let images = files.filter { file in
            Self.isImageName(file) && !file.split(separator: "/").contains { Self.isHidden($0) }
        }
        guard !images.isEmpty else {
            throw DatasetError(
                source, "there is no PNG or JPEG image in it",
                remedy: "give a folder or zip with one folder of images per class, or with images only")
        }
        let root = Self.wrapper(of: images)
        let paths = images.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        let classes = paths.map { Self.topFolder(of: $0.dropFirst(root.count)) }
        let names = Set(classes.compactMap { $0 })
        guard !names.isEmpty else {
            classNames = []
            samples = paths.map { ($0, -1) }
            return
        }
        if let stray = classes.firstIndex(of: nil) {
            throw DatasetError(
                source,
                "\(paths[stray]) lies beside the class folders (\(names.sorted().prefix(3).joined(separator: ", ")))",
                remedy: "move it into the folder of its class")
        }
        let listed = Set(
            folders.filter { $0.hasPrefix(root) }.compactMap {
                Self.topFolder(of: $0.dropFirst(root.count) + "/")
            })
        if let empty = listed.subtracting(names).filter({ !Self.isHidden($0) }).min() {
            throw DatasetError(
                source, "the class folder \(empty) holds no PNG or JPEG image", remedy: "fill it or remove it"
            )
        }
        classNames = names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        let labels = Dictionary(uniqueKeysWithValues: classNames.enumerated().map { ($1, $0) })
        samples = zip(paths, classes).map { path, name in (path, name.flatMap { labels[$0] } ?? -1) }
    }

    /// The folders that hold everything, as `a/b/`, or "".
    private static func wrapper(of paths: [String]) -> String {
        var root = ""
        while let top = topFolder(of: paths[0].dropFirst(root.count)),
            paths.allSatisfy({ $0.hasPrefix(root + top + "/") })
        {
            root += top + "/"
        }
        return root
    }

    private static func topFolder(of path: some StringProtocol) -> String? {
        path.firstIndex(of: "/").map { String(path[..<$0]) }
    }
}
