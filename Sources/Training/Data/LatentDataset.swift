import Archives
import Checkpoints
import Tensors

/// Latents that an autoencoder made of images (`sfumato encode`): a folder of parts, read where they lie.
public struct LatentDataset: SampleDataset {
    public let source: String
    public let width: Int
    public let height: Int
    public let channels: Int
    public private(set) var classNames: [String]
    /// What made the latents; the same in every part.
    public let config: JSONValue
    /// Whether there are latents of mirrored images too.
    public let hasMirrored: Bool
    private let parts: [LatentPart]
    /// Of each sample: its part, and its place in it.
    private var places: [(part: Int, row: Int)]
    /// Of each sample, instead of those in the parts.
    private var ownLabels: [Int]?

    /// - Throws: `DatasetError` when there is no complete set of latents at `path`; errors of the files.
    public init(path: String) throws {
        source = path
        guard isFolder(path) else {
            throw DatasetError(
                path, fileExists(path) ? "it is not a folder" : "there is no such folder",
                remedy: "give the folder that sfumato encode made")
        }
        let files = try folderContents(path).filter { $0.hasPrefix("part-") && $0.hasSuffix(".safetensors") }
        parts = try files.map { try LatentPart(path: joinPath(path, $0)) }
        guard let first = parts.first(where: { $0.count > 0 }) else {
            throw DatasetError(path, "there are no latents in it", remedy: "make some with sfumato encode")
        }
        (height, width, channels) = (first.latents.shape[1], first.latents.shape[2], first.latents.shape[3])
        (config, hasMirrored) = (first.config, first.mirrored != nil)
        classNames = first.config["classes"]?.strings ?? []
        places = parts.enumerated().flatMap { part, file in (0..<file.count).map { (part, $0) } }
        try checkParts()
    }

    /// Whether the path leads to a set of latents.
    static func isPresent(at path: String) -> Bool {
        isFolder(path) && fileExists(joinPath(path, LatentPart.fileName(0)))
    }

    private func checkParts() throws {
        let total = config["parts"]?.integer ?? parts.count
        guard parts.map(\.number) == Array(0..<total) else {
            throw DatasetError(
                source, "it has \(parts.count) of \(total) parts",
                remedy: "run the same sfumato encode again: it goes on where it stopped")
        }
        for part in parts {
            guard part.config == config else {
                throw DatasetError(
                    part.path, "it was made in another way than the other parts",
                    remedy: "encode into a new folder")
            }
            let shape = Array(part.latents.shape.dropFirst())
            guard part.count == 0 || shape == [height, width, channels],
                part.count == 0 || (part.mirrored != nil) == hasMirrored
            else {
                throw DatasetError(
                    part.path, "its latents are \(shape), others \([height, width, channels])",
                    remedy: "encode into a new folder")
            }
            let known = part.labels.allSatisfy(classNames.indices.contains)
            guard known, part.labels.isEmpty == classNames.isEmpty || part.count == 0 else {
                throw DatasetError(
                    part.path, "its labels are not those of \(classNames.count) classes",
                    remedy: "encode the images again")
            }
        }
    }

    public var count: Int { places.count }
    public func name(at index: Int) -> String { parts[places[index].part].names[places[index].row] }

    public func label(at index: Int) -> Int? {
        if let ownLabels { return ownLabels[index] }
        let place = places[index]
        return classNames.isEmpty ? nil : parts[place.part].labels[place.row]
    }

    /// The samples at `indices` alone, in that order.
    public func selecting(_ indices: [Int]) -> LatentDataset {
        var result = self
        result.places = indices.map { places[$0] }
        result.ownLabels = ownLabels.map { labels in indices.map { labels[$0] } }
        return result
    }

    /// The same with other labels.
    public func labelled(_ labels: [Int], names: [String]) -> LatentDataset {
        precondition(labels.count == count, "\(labels.count) labels for \(count) samples")
        var result = self
        (result.ownLabels, result.classNames) = (labels, names)
        return result
    }

    /// Scalars of one sample.
    var scalarCount: Int { width * height * channels }

    /// The latents `[1, h, w, c]` of a sample: the mean where the posterior is kept.
    public func latent(at index: Int) -> Tensor {
        let result = Tensor.uninitialized([1, height, width, channels])
        result.withMutableScalars { target in
            if let base = target.baseAddress { write(index, isMirrored: false, noise: nil, to: base) }
        }
        return result
    }

    /// - Parameters:
    ///   - noise: what a sample of the posterior is drawn from; nil for its mean.
    func write(_ index: Int, isMirrored: Bool, noise: RandomStream?, to target: UnsafeMutablePointer<Float>) {
        let (part, row) = (parts[places[index].part], places[index].row)
        let (latents, deviations) =
            isMirrored ? part.mirrored ?? (part.latents, part.deviations) : (part.latents, part.deviations)
        let buffer = UnsafeMutableBufferPointer(start: target, count: scalarCount)
        latents.row(row).copyFloats(to: buffer)
        guard let noise, let deviations else { return }
        let widths = deviations.row(row).floats
        let normals = noise.normals([scalarCount]).scalars
        for i in 0..<scalarCount { target[i] += widths[i] * normals[i] }
    }
}

extension StoredTensor {
    /// One entry of the first axis.
    fileprivate func row(_ index: Int) -> StoredTensor {
        let shape = Array(shape.dropFirst())
        let size = shape.reduce(1, *) * type.byteCount
        return StoredTensor(
            name: name, shape: shape, type: type, bytes: bytes[index * size..<(index + 1) * size])
    }
}

/// Batches of latents: a sample's side and its draw from the posterior depend on the seed and its number alone.
final class LatentBatchSource: SampleSource {
    private let dataset: LatentDataset
    private let flips: Bool
    private let order: SampleOrder
    private let variation: RandomStream

    init(dataset: LatentDataset, flips: Bool, options: DataLoaderOptions) {
        (self.dataset, self.flips) = (dataset, flips)
        order = SampleOrder(count: dataset.count, seed: options.seed, isShuffled: options.shuffle)
        variation = RandomStream(seed: options.seed).stream(named: "variation")
    }

    var skippedCount: Int { 0 }

    func batch(from first: Int, count: Int) throws -> ImageBatch {
        let latents = Tensor.uninitialized([count, dataset.height, dataset.width, dataset.channels])
        let indices = (first..<first + count).map(order.index)
        latents.withMutableScalars { target in
            guard let base = target.baseAddress else { return }
            for (n, index) in indices.enumerated() {
                let stream = variation.stream(UInt64(first + n))
                dataset.write(
                    index, isMirrored: flips && stream.integer(below: 2, at: 0) == 1,
                    noise: stream.stream(named: "posterior"), to: base + n * dataset.scalarCount)
            }
        }
        return ImageBatch(images: latents, labels: indices.map(dataset.label), indices: indices)
    }
}
