import Archives
import Images
import Layers
import Training

/// What a run learns from: images, or latents that an autoencoder made of them.
public enum TrainingData: Sendable {
    case images(any ImageDataset)
    case latents(LatentDataset)

    /// Opens the data that settings describe.
    /// - Throws: `SettingsError` when latents are of another size; errors of opening.
    init(_ settings: DataSettings, origin: String) throws {
        guard settings.kind == .latents, let path = settings.path else {
            self = .images(try settings.specification.open())
            return
        }
        let latents = try LatentDataset(path: path)
        let found = ImageSize(width: latents.width, height: latents.height)
        func require(_ condition: Bool, _ key: String, _ problem: String) throws {
            if !condition { throw SettingsError(origin: origin, key: key, problem: problem) }
        }
        try require(
            found == settings.size, "data.size",
            "must be \(found), as the latents in \(path) are, found \(settings.size)")
        try require(
            latents.channels == settings.channels, "data.channels",
            "must be \(latents.channels), as the latents in \(path) have, found \(settings.channels)")
        try require(
            !settings.flip || latents.hasMirrored, "data.flip",
            "must be false: \(path) has no latents of mirrored images; encode with --mirrored to flip")
        self = .latents(latents)
    }

    public var samples: any SampleDataset {
        switch self {
        case .images(let images): images
        case .latents(let latents): latents
        }
    }

    /// What the latents were made with; nil for images.
    /// - Throws: `SettingsError` when they do not tell it.
    func autoencoder() throws -> AutoencoderIdentity? {
        guard case .latents(let latents) = self else { return nil }
        return try LatentConfiguration(latents).autoencoder
    }

    /// Without the samples that are kept aside, and how many those are.
    func holdingOut(_ count: Int) throws -> (TrainingData, heldOut: Int) {
        guard let split = try HoldoutDataset.places(samples, holdout: count) else { return (self, 0) }
        switch self {
        case .images(let images):
            return (.images(try HoldoutDataset.split(images, holdout: count).training), split.heldOut.count)
        case .latents(let latents): return (.latents(latents.selecting(split.reference)), split.heldOut.count)
        }
    }

    /// For a model that reads prompts: the same with each sample's prompt as its label.
    /// - Throws: `DatasetError` when a sample has no prompt; errors of the file of prompts.
    func prompted(_ configuration: TrainingConfiguration) throws -> TrainingData {
        guard case .lina(let model) = configuration.model, let path = configuration.data.prompts else {
            return self
        }
        let file = try PromptFile(path: path, width: model.network.textSize)
        let labels = try PromptedDataset.labels(of: samples, in: file, path: path)
        switch self {
        case .images(let images):
            return .images(PromptedDataset(base: images, labels: labels, classNames: file.names))
        case .latents(let latents): return .latents(latents.labelled(labels, names: file.names))
        }
    }

    /// Batches for a run.
    func loader(
        _ configuration: TrainingConfiguration, position: DataPosition,
        onSkip: @escaping @Sendable (SkippedImage) -> Void
    ) throws -> DataLoader {
        let data = configuration.data
        let options = DataLoaderOptions(
            batchSize: configuration.batchSize, seed: configuration.seed, threads: data.threads,
            onBadImage: data.onBadImage)
        switch self {
        case .images(let images):
            return try DataLoader(images, data.preparation, options, position: position, onSkip: onSkip)
        case .latents(let latents):
            return try DataLoader(latents: latents, flips: data.flip, options, position: position)
        }
    }
}

extension SampleDataset {
    /// A sample's name within the data set.
    func ownName(at index: Int) -> String {
        let name = name(at: index)
        for separator in ["/", ": ", ", "] where name.hasPrefix(source + separator) {
            return String(name.dropFirst(source.count + separator.count))
        }
        return name
    }
}

/// Images whose labels count embedded prompts.
struct PromptedDataset: ImageDataset {
    let base: any ImageDataset
    let labels: [Int]
    let classNames: [String]

    var source: String { base.source }
    var count: Int { base.count }
    func label(at index: Int) -> Int? { labels[index] }
    func name(at index: Int) -> String { base.name(at: index) }
    func image(at index: Int) throws -> Image { try base.image(at: index) }

    /// Each sample's prompt: the one under its file's name without extension, else the one of its class.
    /// - Throws: `DatasetError` naming the first sample without a prompt.
    static func labels(of samples: any SampleDataset, in file: PromptFile, path: String) throws -> [Int] {
        let places = Dictionary(uniqueKeysWithValues: file.names.enumerated().map { ($1, $0) })
        return try (0..<samples.count).map { index in
            let name = splitPath(samples.ownName(at: index)).name
            let stem = name.lastIndex(of: ".").map { String(name[..<$0]) } ?? name
            let className = samples.label(at: index).map { samples.classNames[$0] }
            if let place = places[stem] ?? className.flatMap({ places[$0] }) { return place }
            throw DatasetError(
                samples.name(at: index),
                "\(path) has no prompt named \"\(stem)\"" + (className.map { " or \"\($0)\"" } ?? ""),
                remedy: "embed one for every image or every class")
        }
    }
}
