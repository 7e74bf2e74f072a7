import Images

/// Numbered samples, with a class each or none, that any thread may read at any time.
public protocol SampleDataset: Sendable {
    /// What errors call the set: a folder, a zip.
    var source: String { get }
    var count: Int { get }
    /// Names of the classes in label order; empty when the samples have no classes.
    var classNames: [String] { get }

    /// The class of a sample as an index into `classNames`; nil when the set has no classes.
    func label(at index: Int) -> Int?

    /// What errors call the sample.
    func name(at index: Int) -> String
}

/// Numbered images. Opening a data set lists names only; images are decoded when asked for.
public protocol ImageDataset: SampleDataset {
    /// Decodes an image at its own size.
    /// - Throws: `ImageError`, `FileError` or `ArchiveError`, each naming the file, when it is missing or damaged.
    func image(at index: Int) throws -> Image
}

/// A data set that cannot be opened or used: which, what is wrong, what to do.
public struct DatasetError: Error, Equatable, CustomStringConvertible {
    public let source: String
    public let problem: String
    public let remedy: String

    public init(_ source: String, _ problem: String, remedy: String) {
        self.source = source
        self.problem = problem
        self.remedy = remedy
    }

    public var description: String { "\(source): \(problem); \(remedy)" }
}
