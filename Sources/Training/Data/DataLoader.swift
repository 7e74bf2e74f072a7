import Tensors

/// How samples are ordered, batched and read ahead.
public struct DataLoaderOptions: Sendable, Hashable, Codable {
    public var batchSize: Int
    /// Decides the order and the variations, and nothing else does.
    public var seed: UInt64
    /// A new permutation each epoch; otherwise the data set's own order, again and again.
    public var shuffle: Bool
    /// Threads that decode ahead of the computation.
    public var threads: Int
    /// Batches kept ready.
    public var prefetch: Int
    /// Prepared images are kept in memory when all of them fit in this many bytes.
    public var cacheBytes: Int
    public var onBadImage: BadImagePolicy

    public init(
        batchSize: Int, seed: UInt64 = 0, shuffle: Bool = true, threads: Int = 2, prefetch: Int = 4,
        cacheBytes: Int = 1 << 29, onBadImage: BadImagePolicy = .skip
    ) {
        self.batchSize = batchSize
        self.seed = seed
        self.shuffle = shuffle
        self.threads = threads
        self.prefetch = prefetch
        self.cacheBytes = cacheBytes
        self.onBadImage = onBadImage
    }
}

/// A place in the endless sequence of samples: how many were taken since the training began.
public struct DataPosition: Sendable, Hashable, Codable {
    public var samples: Int

    public init(samples: Int = 0) { self.samples = samples }

    /// The epoch that the next sample belongs to, and its place in it.
    public func epoch(imageCount: Int) -> (epoch: Int, index: Int) {
        let (epoch, index) = samples.quotientAndRemainder(dividingBy: imageCount)
        return (epoch, index)
    }
}

/// Batches of a data set, decoded and varied on threads of their own while the caller computes.
///
/// ```swift
/// let loader = try DataLoader(dataset, preparation, DataLoaderOptions(batchSize: 128, seed: 7))
/// while training { step(try loader.next()) }
/// checkpoint.position = loader.position
/// ```
/// A batch depends on the data set, the seed and the position alone. Epochs follow one another without a gap: where
/// the batch size does not divide the number of images, a batch holds the end of one epoch and the start of the
/// next, so every image is seen once per epoch.
public final class DataLoader {
    public let options: DataLoaderOptions
    private let source: any SampleSource
    private var queue: PrefetchQueue<ImageBatch>?

    /// The place of the next batch: save it with a checkpoint, and set it to resume.
    public var position: DataPosition {
        get { current }
        set {
            stop()
            current = newValue
        }
    }
    private var current: DataPosition

    /// Batches of images.
    /// - Parameters:
    ///   - position: where to go on.
    ///   - onSkip: called once for each file that cannot be decoded, on a loading thread.
    /// - Throws: `DatasetError` for settings that make no sense.
    public convenience init(
        _ dataset: any ImageDataset, _ preparation: ImagePreparation, _ options: DataLoaderOptions,
        position: DataPosition = DataPosition(), onSkip: @escaping @Sendable (SkippedImage) -> Void = { _ in }
    ) throws {
        try preparation.validate()
        guard dataset.count > 0 else {
            throw DatasetError(dataset.source, "it has no images", remedy: "add some")
        }
        try self.init(
            BatchSource(dataset: dataset, preparation: preparation, options: options, onSkip: onSkip),
            options, position: position)
    }

    /// Batches of latents.
    /// - Parameter flips: half of the samples are those of the mirrored image; the data set must have them.
    /// - Throws: `DatasetError` for settings that make no sense.
    public convenience init(
        latents dataset: LatentDataset, flips: Bool, _ options: DataLoaderOptions,
        position: DataPosition = DataPosition()
    ) throws {
        guard !flips || dataset.hasMirrored else {
            throw DatasetError(
                dataset.source, "it has no latents of mirrored images",
                remedy: "set data.flip=false, or encode the images with --mirrored")
        }
        try self.init(
            LatentBatchSource(dataset: dataset, flips: flips, options: options), options, position: position)
    }

    private init(_ source: any SampleSource, _ options: DataLoaderOptions, position: DataPosition) throws {
        guard options.batchSize > 0, options.threads > 0, options.prefetch > 0 else {
            throw DatasetError(
                "data loader",
                "batch size \(options.batchSize), \(options.threads) threads and \(options.prefetch) batches ahead are asked for",
                remedy: "give at least 1 of each")
        }
        self.source = source
        self.options = options
        current = position
    }

    deinit { queue?.close() }

    /// How many files were found unreadable so far.
    public var skippedCount: Int { source.skippedCount }

    /// The next batch; waits when it is not ready.
    /// - Throws: when `onBadImage` is `error` and a file is damaged, or when no image of the set can be decoded.
    public func next() throws -> ImageBatch {
        let queue = self.queue ?? start()
        self.queue = queue
        do {
            let batch = try queue.next()
            current.samples += options.batchSize
            return batch
        } catch {
            stop()  // the queue has gone past the failed batch: asking again must try it again
            throw error
        }
    }

    /// Ends the loading threads; `next` starts them again.
    public func stop() {
        queue?.close()
        queue = nil
    }

    private func start() -> PrefetchQueue<ImageBatch> {
        let (source, first, size) = (source, current.samples, options.batchSize)
        return PrefetchQueue(threads: options.threads, depth: options.prefetch) { number in
            try source.batch(from: first + number * size, count: size)
        }
    }
}
