import Archives
import Checkpoints
import Images
import Layers
import Tensors
import Training

/// Encodes a data set of images into a folder of latents, part by part: every file appears whole or not at all, and the
/// same encoding started again makes only the parts that are missing.
///
/// The bytes depend on the images, the autoencoder and the settings alone.
public struct LatentEncoding: Sendable {
    public let autoencoder: LoadedKLAutoencoder
    public let folder: String
    public let configuration: LatentConfiguration
    private let dataset: any ImageDataset
    private let onBadImage: BadImagePolicy
    private let missing: [Int]

    /// What happens on the way.
    public enum Event: Sendable {
        /// So many images are behind us, encoded or skipped.
        case advanced(by: Int)
        /// A file of the data cannot be read and is left out.
        case skipped(SkippedImage)
        /// A part is complete.
        case written(path: String)
    }

    /// - Parameters:
    ///   - dataset: the images; opened, nothing is decoded yet.
    ///   - folder: where the parts go; may hold those of the same encoding.
    /// - Throws: `GenerationError` when sizes do not divide or the folder holds other latents; errors of its files.
    public init(
        _ dataset: any ImageDataset, autoencoder: LoadedKLAutoencoder, settings: EncodingSettings,
        folder: String,
        onBadImage: BadImagePolicy = .skip
    ) throws {
        try autoencoder.check(settings.size)
        (self.autoencoder, self.folder, self.dataset) = (autoencoder, folder, dataset)
        self.onBadImage = onBadImage
        var configuration = LatentConfiguration()
        configuration.source = splitPath(dataset.source).name
        configuration.images = dataset.count
        configuration.parts = (dataset.count + settings.partSize - 1) / settings.partSize
        configuration.classes = dataset.classNames
        configuration.encoding = settings
        configuration.autoencoder = autoencoder.identity
        self.configuration = configuration
        missing = try Self.missingParts(configuration, folder)
    }

    private static func missingParts(_ configuration: LatentConfiguration, _ folder: String) throws -> [Int] {
        guard fileExists(folder) else { return Array(0..<configuration.parts) }
        let expected = Set((0..<configuration.parts).map(LatentPart.fileName))
        for name in try folderContents(folder) where name.hasPrefix("part-") && name.hasSuffix(".safetensors")
        {
            let part = try LatentPart(path: joinPath(folder, name))
            let found = try LatentConfiguration(json: part.config.text, name: "\(part.path): config")
            let changes = SettingsNode.differences(found.node, configuration.node).prefix(4)
            guard changes.isEmpty, expected.contains(name) else {
                throw GenerationError(
                    "\(folder): holds latents made in another way (\(changes.joined(separator: ", "))); "
                        + "choose another --out, or remove them")
            }
        }
        return (0..<configuration.parts).filter { !fileExists(joinPath(folder, LatentPart.fileName($0))) }
    }

    /// Images still to be encoded.
    public var imageCount: Int { missing.reduce(0) { $0 + places(of: $1).count } }

    public var latentSize: ImageSize {
        let (size, stride) = (configuration.encoding.size, autoencoder.configuration.stride)
        return ImageSize(width: size.width / stride, height: size.height / stride)
    }

    /// The plan for people, one fact a line.
    public var description: String {
        let settings = configuration.encoding
        let bytes =
            dataset.count * latentSize.width * latentSize.height * autoencoder.identity.latentChannels
            * settings.precision.type.byteCount * (settings.kept == .moments ? 2 : 1)
            * (settings.mirrored ? 2 : 1)
        let classes = dataset.classNames.count
        return """
            data         \(dataset.source), \(dataset.count) images, \(classes) classes
            images       \(settings.size), \(settings.fit.rawValue)\(settings.mirrored ? ", and mirrored" : "")
            latents      \(latentSize), \(autoencoder.identity.latentChannels) channels, \(settings.kept.rawValue), \
            times \(autoencoder.identity.scale)
            autoencoder  \(autoencoder.path), sha256 \(autoencoder.identity.digest)
            files        \(configuration.parts) of up to \(settings.partSize) images, \(TextTable.bytes(bytes)); \
            \(missing.count) to be made
            memory       about \(TextTable.bytes(autoencoder.featureBytes(settings.size))) for each image, \
            \(autoencoder.concurrency(settings.size)) at a time
            """
    }

    private func places(of part: Int) -> Range<Int> {
        let size = configuration.encoding.partSize
        return part * size..<min((part + 1) * size, dataset.count)
    }

    /// - Parameter shouldStop: asked between images; the part at work is then given up.
    /// - Returns: whether every part is there.
    /// - Throws: errors of files; of images too when they are not to be skipped; `GenerationError` when none is readable.
    public func run(until shouldStop: () -> Bool, onEvent: (Event) -> Void) throws -> Bool {
        try makeFolder(folder)
        let step = autoencoder.concurrency(configuration.encoding.size)
        for part in missing {
            var rows: [Row] = []
            let places = Array(places(of: part))
            for first in stride(from: 0, to: places.count, by: step) {
                guard !shouldStop() else { return false }
                let chunk = Array(places[first..<min(first + step, places.count)])
                let results = try encode(chunk)
                for result in results {
                    switch result {
                    case .success(let row): rows.append(row)
                    case .failure(let error):
                        guard onBadImage == .skip else { throw error.error }
                        onEvent(.skipped(SkippedImage(name: error.name, reason: "\(error.error)")))
                    }
                }
                onEvent(.advanced(by: chunk.count))
            }
            let path = joinPath(folder, LatentPart.fileName(part))
            try write(rows, part, to: path)
            onEvent(.written(path: path))
        }
        guard
            (0..<configuration.parts).contains(where: { part in
                ((try? LatentPart(path: joinPath(folder, LatentPart.fileName(part))))?.count ?? 0) > 0
            })
        else { throw GenerationError("\(dataset.source): none of its images can be read; check the files") }
        return true
    }

    /// One image's latents; the mirrored image's follow.
    private struct Row: Sendable {
        var name: String
        var label: Int?
        /// Latents and deviations of the image, and of the mirrored one.
        var sides: [(latents: Tensor, deviations: Tensor?)]
    }

    private struct Unreadable: Error {
        var name: String
        var error: any Error
    }

    private func encode(_ places: [Int]) throws -> [Result<Row, Unreadable>] {
        let results = SlotList<Result<Row, any Error>>(places.count)
        let preparation = configuration.encoding.preparation(
            channels: autoencoder.configuration.imageChannels)
        let prepared = PreparedDataset(base: dataset, preparation: preparation)
        autoencoder.forEach(places.count, size: configuration.encoding.size) { index in
            let place = places[index]
            results[index] = Result {
                let image: Image
                do { image = try prepared.image(at: place) } catch {
                    throw Unreadable(name: dataset.name(at: place), error: error)
                }
                return try row(place, image)
            }
        }
        return try results.values.map { result in
            do { return .success(try result.get()) } catch let error as Unreadable { return .failure(error) }
        }
    }

    private func row(_ place: Int, _ image: Image) throws -> Row {
        let settings = configuration.encoding
        let layout: ChannelLayout = autoencoder.configuration.imageChannels == 1 ? .grey : .rgb
        let pixels = Tensor([image.eightBit().converted(to: layout)])
        let flipped = settings.mirrored ? [pixels.mirroredColumns] : []
        let noise = RandomStream(seed: settings.seed).stream(named: "posterior").stream(UInt64(place))
        let sides = try ([pixels] + flipped).enumerated().map {
            side, pixels -> (latents: Tensor, deviations: Tensor?) in
            let (mean, deviation) = autoencoder.encode(pixels)
            let latents =
                settings.kept == .sample
                ? mean + deviation * noise.stream(UInt64(side)).normals(mean.shape) : mean
            let limit = settings.precision == .float16 ? Float(65_504) : Float.greatestFiniteMagnitude
            guard latents.scalars.allSatisfy({ abs($0) <= limit }) else {
                throw GenerationError(
                    "\(dataset.name(at: place)): its latents are not finite"
                        + (settings.precision == .float16 ? " in float16; encode with float32" : "")
                        + ", or the weights of \(autoencoder.path) are not sound")
            }
            return (latents, settings.kept == .moments ? deviation : nil)
        }
        return Row(name: dataset.ownName(at: place), label: dataset.label(at: place), sides: sides)
    }

    private func write(_ rows: [Row], _ part: Int, to path: String) throws {
        let type = configuration.encoding.precision.type
        let shape = [latentSize.height, latentSize.width, autoencoder.identity.latentChannels]
        func outgoing(_ name: String, _ tensors: [Tensor]) -> OutgoingTensor {
            let all = tensors.isEmpty ? Tensor.zeros(Shape([0] + shape)) : .concatenateSamples(tensors)
            return OutgoingTensor(name: name, all, as: type)
        }
        var tensors: [OutgoingTensor] = []
        for (side, prefix) in ["", "mirrored."].enumerated()
        where side == 0 || configuration.encoding.mirrored {
            tensors.append(outgoing(prefix + "latents", rows.map { $0.sides[side].latents }))
            guard configuration.encoding.kept == .moments else { continue }
            tensors.append(outgoing(prefix + "deviations", rows.compactMap { $0.sides[side].deviations }))
        }
        if !dataset.classNames.isEmpty {
            let labels = rows.map { $0.label ?? -1 }
            tensors.append(
                OutgoingTensor(StoredTensor(name: "labels", shape: [labels.count], integers: labels)))
        }
        try LatentPart.write(
            tensors, names: rows.map(\.name), number: part, config: configuration.node.json, to: path)
    }
}

extension Tensor {
    /// `[N, H, W, C]` with left and right exchanged.
    fileprivate var mirroredColumns: Tensor {
        gatheringPixels(rows: Array(0..<shape[1]), columns: (0..<shape[2]).reversed())
    }
}
