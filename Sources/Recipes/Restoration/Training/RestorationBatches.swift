import Archives
import Denoising
import Images
import Tensors
import Training

/// Random crops for a denoiser: sample s depends on the data, the seed and s alone.
///
/// Decoded images are kept in memory up to a limit, as a crop needs little of what decoding costs.
final class RestorationBatches {
    struct Pair {
        let clean: String
        let noisy: String?
    }

    struct Batch {
        /// `[N, H, W, C]` in 0…1.
        var clean: Tensor
        /// Nil where noise is to be made.
        var noisy: Tensor?
    }

    let pairs: [Pair]
    private let settings: RestorationDataSettings
    private let order: RandomStream
    private let variation: RandomStream
    private let onSkip: (SkippedImage) -> Void
    private var cache: [Int: [Image]] = [:]
    private var cachedBytes = 0
    private var bad: Set<Int> = []
    private var permutation: (epoch: Int, places: [Int])?
    private static let cacheLimit = 1 << 30

    init(_ settings: RestorationDataSettings, seed: UInt64, onSkip: @escaping (SkippedImage) -> Void) throws {
        self.settings = settings
        self.onSkip = onSkip
        order = RandomStream(seed: seed).stream(named: "order")
        variation = RandomStream(seed: seed).stream(named: "variation")
        pairs = try Self.pairs(settings)
        guard !pairs.isEmpty else {
            throw DatasetError(settings.path, "there is no PNG or JPEG image in it", remedy: "check the path")
        }
    }

    /// - Throws: `DatasetError` when a noisy image is missing; `FileError` for a folder that cannot be read.
    static func pairs(_ settings: RestorationDataSettings) throws -> [Pair] {
        guard isFolder(settings.path) else {
            throw DatasetError(
                settings.path, fileExists(settings.path) ? "it is not a folder" : "there is no such folder",
                remedy: "check the path")
        }
        let names = try DenoisingPlan.images(in: settings.path, isRecursive: true)
        switch settings.layout {
        case .folders:
            return try names.map { name in
                let noisy = settings.noisy.map { joinPath($0, name) }
                if let noisy, !fileExists(noisy) {
                    throw DatasetError(
                        noisy, "the clean image \(name) has no noisy one",
                        remedy: "give both the same name, or remove it")
                }
                return Pair(clean: joinPath(settings.path, name), noisy: noisy)
            }
        case .sidd:
            return try names.filter { splitPath($0).name.contains("GT") }.map { name in
                let (folder, file) = splitPath(name)
                let noisy = joinPath(joinPath(settings.path, folder), file.replacing("GT", with: "NOISY"))
                guard fileExists(noisy) else {
                    throw DatasetError(
                        noisy, "the clean image \(name) has no noisy one beside it",
                        remedy: "unpack the data set again")
                }
                return Pair(clean: joinPath(settings.path, name), noisy: noisy)
            }
        }
    }

    /// Samples `first ..< first + count` of the endless sequence.
    func batch(from first: Int, count: Int) throws -> Batch {
        let shape: Shape = [count, settings.size.height, settings.size.width, settings.channels]
        var planes: [[Float]] = [[], []]
        for sample in first..<first + count {
            for (index, tensor) in try crops(sample).enumerated() { planes[index] += tensor.scalars }
        }
        return Batch(
            clean: Tensor(shape: shape, scalars: planes[0]),
            noisy: settings.isPaired ? Tensor(shape: shape, scalars: planes[1]) : nil)
    }

    /// The same crop of the clean image and, where there is one, of the noisy one, `[1, H, W, C]` each.
    private func crops(_ sample: Int) throws -> [Tensor] {
        let stream = variation.stream(UInt64(sample))
        let wanted = place(of: sample)
        for step in 0..<pairs.count {
            let index = (wanted + step) % pairs.count
            guard let images = try images(index), let first = images.first else { continue }
            let (width, height) = (settings.size.width, settings.size.height)
            let left = stream.integer(below: first.width - width + 1, at: 0)
            let top = stream.integer(below: first.height - height + 1, at: 1)
            let symmetry = settings.dihedral ? stream.integer(below: 8, at: 2) : 0
            return images.map { image in
                let window = PictureCanvas(image).window(
                    rows: top..<top + height, columns: left..<left + width)
                return symmetry == 0 ? window : Dihedral.all[symmetry].apply(to: window)
            }
        }
        throw DatasetError(
            settings.path, "none of its \(pairs.count) images can be used for crops of \(settings.size)",
            remedy: "check the files, or lower data.size")
    }

    private func place(of sample: Int) -> Int {
        let (epoch, place) = sample.quotientAndRemainder(dividingBy: pairs.count)
        if permutation?.epoch != epoch {
            permutation = (epoch, order.stream(UInt64(epoch)).permutation(count: pairs.count))
        }
        return permutation?.places[place] ?? place
    }

    /// The images of a pair in the channels wanted; nil when it is to be skipped.
    private func images(_ index: Int) throws -> [Image]? {
        if let cached = cache[index] { return cached }
        guard !bad.contains(index) else { return nil }
        do {
            let images = try load(pairs[index])
            let size = images.reduce(0) { $0 + $1.pixelCount * $1.channels * $1.bitDepth / 8 }
            if cachedBytes + size <= Self.cacheLimit {
                cache[index] = images
                cachedBytes += size
            }
            return images
        } catch  where settings.onBadImage == .skip {
            bad.insert(index)
            onSkip(SkippedImage(name: pairs[index].clean, reason: "\(error)"))
            return nil
        }
    }

    private func load(_ pair: Pair) throws -> [Image] {
        let layout = settings.channels == 1 ? ChannelLayout.grey : .rgb
        let images = try [pair.clean, pair.noisy].compactMap { $0 }.map { path in
            try Image(path: path).converted(to: layout)
        }
        guard let first = images.first, first.width >= settings.size.width,
            first.height >= settings.size.height
        else {
            throw DatasetError(
                pair.clean, "it is smaller than a crop of \(settings.size)", remedy: "remove it")
        }
        guard images.allSatisfy({ ($0.width, $0.height) == (first.width, first.height) }) else {
            throw DatasetError(
                pair.clean, "its noisy image \(pair.noisy ?? "") has another size", remedy: "remove both")
        }
        return images
    }
}
