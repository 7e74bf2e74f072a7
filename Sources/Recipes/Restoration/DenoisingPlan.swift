import Archives
import Foundation

/// Which files are denoised, and where the results go, settled before the first is read.
public struct DenoisingPlan: Sendable {
    public struct Item: Sendable, Hashable {
        public let input: String
        /// What people call it: the path below the folder that was named.
        public let name: String
        /// Nil when no image is written.
        public let output: String?
        /// Where the picture of before, after and difference goes; nil for none.
        public let comparison: String?
        /// The clean image to score against; nil for none.
        public let reference: String?
        /// Its place among all, which numbers its added noise.
        public let index: Int
        /// Size of the file, for progress.
        public let byteCount: Int
    }

    public struct Options: Sendable {
        /// A folder, or the name of a file for a single image; nil writes nothing.
        public var out: String?
        public var isRecursive = false
        public var overwrites = false
        public var compares = false
        /// A clean image, or a folder with one of the same name for every image.
        public var reference: String?

        public init(out: String?) { self.out = out }
    }

    public private(set) var items: [Item]

    /// - Parameter inputs: files and folders.
    /// - Throws: `DenoisingError` when there are no images, two results would have one name, a result would replace a
    ///   file that exists, or a reference is missing; `FileError` for a folder that cannot be read.
    public init(inputs: [String], options: Options) throws {
        var found: [(input: String, name: String)] = []
        for input in inputs {
            if isFolder(input) {
                let names = try Self.images(in: input, isRecursive: options.isRecursive)
                guard !names.isEmpty else {
                    throw DenoisingError(
                        "\(input): there is no PNG or JPEG image in it"
                            + (options.isRecursive ? "" : "; look into its folders with --recursive"))
                }
                found += names.map { (joinPath(input, $0), $0) }
            } else {
                guard fileExists(input) else { throw FileError(path: input, action: "read", code: ENOENT) }
                found.append((input, splitPath(input).name))
            }
        }
        guard Set(found.map(\.input)).count == found.count else {
            throw DenoisingError("an image is named twice; name each once")
        }
        items = try found.enumerated().map { index, file in
            let output = try Self.output(for: file.name, count: found.count, options)
            return Item(
                input: file.input, name: file.name, output: output,
                comparison: options.compares ? output.map { Self.stem($0) + "-compare.png" } : nil,
                reference: try Self.reference(for: file.name, count: found.count, options), index: index,
                byteCount: max(1, Self.byteCount(of: file.input)))
        }
        try Self.check(items, overwrites: options.overwrites)
    }

    /// The first so many.
    public mutating func limit(to count: Int) { items = Array(items.prefix(count)) }

    /// Names of images below a folder, in byte order.
    static func images(
        in folder: String, isRecursive: Bool, below prefix: String = "", depth: Int = 0
    )
        throws -> [String]
    {
        var names: [String] = []
        for name in try folderContents(joinPath(folder, prefix)) where !name.hasPrefix(".") {
            let path = prefix.isEmpty ? name : prefix + "/" + name
            if isFolder(joinPath(folder, path)) {
                // Links may go round in circles.
                guard isRecursive, depth < 16 else { continue }
                names += try images(in: folder, isRecursive: true, below: path, depth: depth + 1)
            } else if isImageName(name) {
                names.append(path)
            }
        }
        return names
    }

    /// Whether a name is that of a PNG or JPEG file.
    public static func isImageName(_ name: String) -> Bool {
        [".png", ".jpg", ".jpeg"].contains { name.lowercased().hasSuffix($0) }
    }

    private static func stem(_ path: String) -> String {
        isImageName(path) ? path.lastIndex(of: ".").map { String(path[..<$0]) } ?? path : path
    }

    private static func output(for name: String, count: Int, _ options: Options) throws -> String? {
        guard let out = options.out else { return nil }
        guard isImageName(out), !isFolder(out) else { return joinPath(out, stem(name) + ".png") }
        guard count == 1 else {
            throw DenoisingError("\(out): is one file, and there are \(count) images; give a folder")
        }
        return out
    }

    private static func reference(for name: String, count: Int, _ options: Options) throws -> String? {
        guard let reference = options.reference else { return nil }
        guard isFolder(reference) else {
            guard count == 1 else {
                throw DenoisingError(
                    "\(reference): is one image, and there are \(count) to score; give a folder with a clean image for each"
                )
            }
            guard fileExists(reference) else {
                throw FileError(path: reference, action: "read", code: ENOENT)
            }
            return reference
        }
        let base = joinPath(reference, stem(name))
        let candidates = [joinPath(reference, name)] + [".png", ".jpg", ".jpeg"].map { base + $0 }
        guard let found = candidates.first(where: fileExists) else {
            throw DenoisingError("\(reference): has no clean image for \(name)")
        }
        return found
    }

    private static func byteCount(of path: String) -> Int {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        return (attributes?[.size] as? NSNumber)?.intValue ?? 0
    }

    private static func check(_ items: [Item], overwrites: Bool) throws {
        let targets = items.flatMap { [$0.output, $0.comparison].compactMap { $0 } }
        var seen: Set<String> = []
        if let twice = targets.first(where: { !seen.insert($0).inserted }) {
            throw DenoisingError(
                "\(twice): would be the result of two images; rename one, or denoise them into different folders"
            )
        }
        guard !overwrites else { return }
        let existing = targets.filter(fileExists)
        guard let first = existing.first else { return }
        let isInput = items.contains { resolved($0.input) == resolved(first) }
        throw DenoisingError(
            "\(first): \(isInput ? "is an input and would be replaced" : "already exists")"
                + (existing.count > 1 ? ", and \(existing.count - 1) more" : "")
                + "; choose another --out, or add --overwrite")
    }

    private static func resolved(_ path: String) -> String {
        URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    }
}
