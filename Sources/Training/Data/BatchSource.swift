import Images
import Synchronization
import Tensors

/// Images and labels of one training step.
public struct ImageBatch: Sendable {
    /// `[N, H, W, C]`: images in [−1, 1], or scaled latents.
    public let images: Tensor
    /// The class of each image; nil where the data set has none.
    public let labels: [Int?]
    /// The place of each image in the data set.
    public let indices: [Int]

    public init(images: Tensor, labels: [Int?], indices: [Int]) {
        self.images = images
        self.labels = labels
        self.indices = indices
    }
}

/// A file that could not be decoded, and whose place another image takes.
public struct SkippedImage: Sendable, CustomStringConvertible {
    public let name: String
    public let reason: String

    public init(name: String, reason: String) { (self.name, self.reason) = (name, reason) }

    public var description: String { reason.contains(name) ? reason : "\(name): \(reason)" }
}

/// What to do about a file that cannot be decoded.
public enum BadImagePolicy: String, Sendable, Codable, CaseIterable {
    /// Use the next good image of the data set in its place, and report the file once.
    case skip
    /// Throw an error that names it.
    case error
}

/// The endless sequence of training samples, of which any part can be made at any time by any thread.
///
/// A sample's variations depend on the seed and its number alone. So batches are the same whatever the number of
/// threads, and a resumed run sees what it would have seen.
final class BatchSource: SampleSource {
    let dataset: any ImageDataset
    let preparation: ImagePreparation
    private let order: SampleOrder
    private let variation: RandomStream
    private let policy: BadImagePolicy
    private let onSkip: @Sendable (SkippedImage) -> Void
    private let cache: PreparedImageCache?
    private let state = Mutex(State())

    private struct State { var bad: Set<Int> = [] }

    init(
        dataset: any ImageDataset, preparation: ImagePreparation, options: DataLoaderOptions,
        onSkip: @escaping @Sendable (SkippedImage) -> Void
    ) {
        self.dataset = dataset
        self.preparation = preparation
        order = SampleOrder(count: dataset.count, seed: options.seed, isShuffled: options.shuffle)
        variation = RandomStream(seed: options.seed).stream(named: "variation")
        policy = options.onBadImage
        self.onSkip = onSkip
        let bytes = dataset.count.multipliedReportingOverflow(by: preparation.byteCount)
        let isSmall = !bytes.overflow && bytes.partialValue <= options.cacheBytes
        cache =
            isSmall && preparation.isFixed
            ? PreparedImageCache(count: dataset.count, slotSize: preparation.byteCount) : nil
    }

    var skippedCount: Int { state.withLock { $0.bad.count } }

    /// The batch of samples `first ..< first + count`.
    func batch(from first: Int, count: Int) throws -> ImageBatch {
        let images = Tensor.uninitialized([
            count, preparation.height, preparation.width, preparation.channels,
        ])
        var indices: [Int] = []
        indices.reserveCapacity(count)
        try images.withMutableScalars { target in
            guard let base = target.baseAddress else { return }
            for n in 0..<count {
                indices.append(try write(sample: first + n, to: base + n * preparation.byteCount))
            }
        }
        return ImageBatch(images: images, labels: indices.map(dataset.label), indices: indices)
    }

    /// Writes one sample and returns its place in the data set.
    private func write(sample: Int, to target: UnsafeMutablePointer<Float>) throws -> Int {
        let stream = variation.stream(UInt64(sample))
        var drawn: UInt64 = 0
        func draw(_ bound: Int) -> Int {
            defer { drawn += 1 }
            return stream.integer(below: bound, at: drawn)
        }
        let change = ImageVariation(preparation, draw: draw)
        let wanted = order.index(of: sample)
        for step in 0..<dataset.count {
            let index = (wanted + step) % dataset.count
            if let cached = cache?.pointer(at: index) {
                change.write(cached, to: target, preparation)
                return index
            }
            guard let image = try prepared(index, draw: draw) else { continue }
            image.withUnsafeBufferPointer { bytes in
                if let base = bytes.baseAddress { change.write(base, to: target, preparation) }
            }
            return index
        }
        throw DatasetError(
            dataset.source, "none of its \(dataset.count) images can be decoded", remedy: "check the files")
    }

    /// The bytes of a decoded and fitted image; nil when it is to be skipped.
    private func prepared(_ index: Int, draw: (Int) -> Int) throws -> [UInt8]? {
        guard !state.withLock({ $0.bad.contains(index) }) else { return nil }
        do {
            let bytes = preparation.fitted(try dataset.image(at: index), draw: draw).bytes
            cache?.store(bytes, at: index)
            return bytes
        } catch  where policy == .skip {
            let isNew = state.withLock { $0.bad.insert(index).inserted }
            if isNew { onSkip(SkippedImage(name: dataset.name(at: index), reason: "\(error)")) }
            return nil
        }
    }
}
