import Archives
import Images

/// CIFAR-10 in its original binary form (Krizhevsky 2009): records of a label byte and 32×32 red, green and blue planes.
public struct CIFARDataset: ImageDataset {
    public let source: String
    public let classNames: [String]
    private let files: [ByteSlice]
    private let names: [String]
    /// Number of the first record of each file.
    private let starts: [Int]
    public let count: Int

    private static let side = 32
    private static let recordSize = 1 + 3 * side * side

    /// - Parameters:
    ///   - path: the folder with `data_batch_1.bin`… and `test_batch.bin`, or a single such file.
    ///   - isTest: the test batch instead of the training batches.
    /// - Throws: `FileError`, or `DatasetError` when a batch is missing, cut short or has a label above 9.
    public init(path: String, isTest: Bool = false) throws {
        source = path
        let folder = isFolder(path) ? path : splitPath(path).folder
        let paths = try Self.batches(path, isTest: isTest)
        files = try paths.map { try MappedFile(path: $0).slice }
        names = paths
        var total = 0
        var starts: [Int] = []
        for (file, name) in zip(files, paths) {
            guard file.count > 0, file.count % Self.recordSize == 0 else {
                throw DatasetError(
                    name, "its \(file.count) bytes are not a number of records of \(Self.recordSize) bytes",
                    remedy: "fetch it again; the binary version is needed, not the Python or Matlab one")
            }
            starts.append(total)
            total += file.count / Self.recordSize
        }
        self.starts = starts
        count = total
        classNames = Self.classNames(folder)
        if let wrong = (0..<count).first(where: { byte(of: $0, at: 0) >= classNames.count }) {
            throw DatasetError(
                name(at: wrong),
                "its label is \(byte(of: wrong, at: 0)), and there are \(classNames.count) classes",
                remedy: "fetch the data again")
        }
    }

    /// Whether the folder or file holds batches by their usual names.
    static func isPresent(at path: String) -> Bool {
        guard isFolder(path) else { return isBatchName(splitPath(path).name) }
        return ((try? folderContents(path)) ?? []).contains(where: isBatchName)
    }

    private static func isBatchName(_ name: String) -> Bool {
        (name.hasPrefix("data_batch_") || name == "test_batch.bin") && name.hasSuffix(".bin")
    }

    private static func batches(_ path: String, isTest: Bool) throws -> [String] {
        guard isFolder(path) else { return [path] }
        let found = try folderContents(path).filter {
            isTest ? $0 == "test_batch.bin" : $0.hasPrefix("data_batch_") && $0.hasSuffix(".bin")
        }
        guard !found.isEmpty else {
            throw DatasetError(
                path, "there is no \(isTest ? "test_batch.bin" : "data_batch_1.bin") in it",
                remedy: "give the folder cifar-10-batches-bin")
        }
        return found.map { joinPath(path, $0) }
    }

    private static func classNames(_ folder: String) -> [String] {
        let listed = (try? MappedFile(path: joinPath(folder, "batches.meta.txt")).slice.text) ?? nil
        let names = (listed ?? "").split(whereSeparator: \.isNewline).map { $0.trimmingSpaces }.filter {
            !$0.isEmpty
        }
        return names.count == 10
            ? names
            : ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    }

    public func label(at index: Int) -> Int? { Int(byte(of: index, at: 0)) }

    public func name(at index: Int) -> String {
        let (file, record) = place(of: index)
        return "\(names[file]), record \(record)"
    }

    public func image(at index: Int) throws -> Image {
        let (file, record) = place(of: index)
        let plane = Self.side * Self.side
        let samples = files[file].withBytes { bytes in
            let first = record * Self.recordSize + 1
            return [UInt8](unsafeUninitializedCapacity: 3 * plane) { target, count in
                count = 3 * plane
                for i in 0..<plane {
                    for color in 0..<3 { target[3 * i + color] = bytes[first + color * plane + i] }
                }
            }
        }
        return Image(width: Self.side, height: Self.side, channels: 3, samples: samples)
    }

    private func place(of index: Int) -> (file: Int, record: Int) {
        let file = (starts.firstIndex { $0 > index } ?? starts.count) - 1
        return (file, index - starts[file])
    }

    private func byte(of index: Int, at offset: Int) -> UInt8 {
        let (file, record) = place(of: index)
        return files[file][record * Self.recordSize + offset]
    }
}

extension Substring {
    fileprivate var trimmingSpaces: String {
        String(drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
    }
}
