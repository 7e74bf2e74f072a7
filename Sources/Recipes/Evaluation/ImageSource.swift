import Archives
import Checkpoints
import Images
import Metrics
import Tensors
import Training

/// Images to be measured, in order, from files or from a model.
public protocol ImageSource: Sendable {
    /// What reports and errors call the set.
    var name: String { get }
    var count: Int { get }
    /// Identifies the images without looking at them; nil when they have to be looked at.
    var identity: String? { get }
    /// Extensions of the images' files.
    var formats: Set<String> { get }

    /// RGB, 8 bits.
    /// - Throws: errors of reading that name the image.
    func images(_ range: Range<Int>) throws -> [Image]
}

/// Images of a data set, decoded on all threads.
struct DatasetSource: ImageSource {
    let dataset: any ImageDataset

    var name: String { dataset.source }
    var count: Int { dataset.count }
    var identity: String? { nil }

    var formats: Set<String> {
        Set(
            (0..<min(count, 10_000)).compactMap { index in
                let name = dataset.name(at: index)
                guard let dot = name.lastIndex(of: ".") else { return nil }
                let suffix = name[name.index(after: dot)...].lowercased()
                return ["png": "PNG", "jpg": "JPEG", "jpeg": "JPEG"][suffix]
            })
    }

    func images(_ range: Range<Int>) throws -> [Image] {
        try ComputeThreads.map(Array(range)) { try dataset.image(at: $0).rgb }
    }
}

/// Images that a model makes when they are asked for; none is written.
struct GeneratedSource: ImageSource {
    let plan: GenerationPlan

    /// - Throws: `EvaluationError` for models that make latents.
    init(_ plan: GenerationPlan) throws {
        guard plan.makesImages else {
            throw EvaluationError(
                "\(plan.model.path): makes latents of \(plan.channels) channels, no pictures")
        }
        self.plan = plan
    }

    var name: String { plan.model.path }
    var count: Int { plan.items.count }
    var formats: Set<String> { [] }

    /// Nil for weights that are still trained.
    var identity: String? {
        guard !plan.model.digest.isEmpty else { return nil }
        var recipe = plan.recipe
        recipe.checkpoint = nil
        let text = "\(plan.model.digest) \(recipe.node.json.text) \(SeedList(plan.items.map(\.seed)))"
        return Array(text.utf8).withUnsafeBytes { SHA256.hexadecimal($0) }
    }

    func images(_ range: Range<Int>) throws -> [Image] {
        let part = try GenerationPlan(
            model: plan.model, recipe: plan.recipe, seeds: plan.items[range].map(\.seed))
        var images: [Image] = []
        Generator(part, batchSize: 32).run { event in
            if case .finished(_, let samples) = event { images += Image.batch(samples).map(\.rgb) }
            return true
        }
        return images
    }
}

/// Evenly drawn images of a larger set.
struct Subset: ImageDataset {
    let base: any ImageDataset
    let indices: [Int]

    init(_ base: any ImageDataset, limit: Int) {
        self.base = base
        let order = RandomStream(seed: 0).stream(named: "subset").permutation(count: base.count)
        indices = base.count <= limit ? Array(0..<base.count) : order.prefix(limit).sorted()
    }

    var source: String { base.source }
    var count: Int { indices.count }
    var classNames: [String] { base.classNames }
    func label(at index: Int) -> Int? { base.label(at: indices[index]) }
    func name(at index: Int) -> String { base.name(at: indices[index]) }
    func image(at index: Int) throws -> Image { try base.image(at: indices[index]) }
}

/// Images as the network sees them: brought to the training's size.
struct PreparedDataset: ImageDataset {
    let base: any ImageDataset
    let preparation: ImagePreparation

    var source: String { base.source }
    var count: Int { base.count }
    var classNames: [String] { base.classNames }
    func label(at index: Int) -> Int? { base.label(at: index) }
    func name(at index: Int) -> String { base.name(at: index) }
    func image(at index: Int) throws -> Image {
        let image = try base.image(at: index)
        guard (image.width, image.height) != (preparation.width, preparation.height) else { return image }
        return preparation.fit == .stretch
            ? image.resized(width: preparation.width, height: preparation.height, filter: .lanczos)
            : image.admCenterCropped(width: preparation.width, height: preparation.height)
    }
}
