import Checkpoints
import Images
import Layers

/// What a generation will do, decided before the first network call: it can be printed, tested, and stored with
/// every image.
public struct GenerationPlan: Sendable {
    /// One image to be made.
    public struct Item: Sendable, Hashable {
        public var seed: UInt64
        /// Nil for an image without a class.
        public var label: Int?
        public var className: String
    }

    public let model: LoadedModel
    /// With everything resolved: size and classes are never absent.
    public let recipe: SamplingRecipe
    public let items: [Item]
    let sampler: any ImageSampler
    /// What makes images of a model's latents.
    let decoder: LoadedKLAutoencoder?

    /// - Parameter seeds: one image each.
    /// - Throws: `GenerationError`, `SettingsError` when the model cannot do what the recipe says.
    public init(model: LoadedModel, recipe: SamplingRecipe, seeds: [UInt64]) throws {
        var recipe = recipe
        recipe.sampler.bands = try recipe.sampler.bands?.resolved()
        recipe.sampler.masked = try recipe.sampler.masked?.resolved()
        let settings = model.configuration.model
        let size = recipe.size ?? model.configuration.size
        try settings.check(size, origin: model.path, key: "size")
        guard !seeds.isEmpty else { throw GenerationError("no seeds are given; nothing would be made") }
        if recipe.sampler.guidance.isOn, !settings.canDropLabels {
            throw GenerationError(
                "\(model.path): was not trained without labels, so it cannot be guided; set guidance.scale to 1"
            )
        }
        decoder = try Self.decoder(&recipe, model, size: size)
        do {
            try settings.architecture.check(recipe.sampler, for: model.configuration.objective)
            let base = try model.network.imageSampler(
                recipe.sampler, objective: model.configuration.objective)
            sampler = decoder.map { DecodedSampler(base: base, decoder: $0) } ?? base
        } catch let error as ConfigurationError {
            throw GenerationError("\(model.path): for this model \(error)")
        }
        let subjects = sampler.subjects
        let names = recipe.classes ?? subjects ?? Self.allClasses(model)
        guard !names.isEmpty else {
            throw GenerationError(
                "\(model.path): is told what to draw by prompts; give them with --set masked.prompts=FILE")
        }
        let labels = try names.map { name in
            try subjects.map { try Self.place(of: name, in: $0, model) } ?? model.label(name)
        }
        items = seeds.map { seed in
            let place = Int(seed % UInt64(labels.count))
            let name = subjects == nil ? model.className(labels[place]) : names[place]
            return Item(seed: seed, label: labels[place], className: name)
        }
        recipe.checkpoint = recipe.checkpoint ?? model.path
        recipe.size = size
        recipe.classes = names
        self.model = model
        self.recipe = recipe
    }

    private static func place(of name: String, in subjects: [String], _ model: LoadedModel) throws -> Int? {
        if name == "none" { return nil }
        if let place = subjects.firstIndex(of: name) { return place }
        let hint = nearestName(to: name, in: subjects).map { "did you mean \"\($0)\"?" }
        throw GenerationError(
            "\(model.path): there is no prompt \"\(name)\"; "
                + (hint ?? "known are " + subjects.prefix(20).joined(separator: ", ")))
    }

    private static func allClasses(_ model: LoadedModel) -> [String] {
        let count = model.configuration.model.classCount
        return count == 0 ? ["none"] : (0..<count).map { model.className($0) }
    }

    /// What the model draws: of its latents where there is a decoder.
    public var size: ImageSize { recipe.size ?? model.configuration.size }
    /// Of the samples as they are written.
    public var sampleSize: ImageSize {
        let stride = decoder?.identity.stride ?? 1
        return ImageSize(width: size.width * stride, height: size.height * stride)
    }
    public var stepCount: Int { sampler.stepCount }
    /// Of the samples as they are written.
    public var channels: Int {
        decoder?.configuration.imageChannels ?? model.configuration.model.inputChannels
    }

    /// Whether the samples are pictures: those of a model of latents are with a decoder alone.
    public var makesImages: Bool {
        decoder != nil || (model.configuration.autoencoder == nil && (channels == 1 || channels == 3))
    }

    /// The plan for people, one fact a line.
    public var description: String {
        let guidance = recipe.sampler.guidance
        let classes = recipe.classes ?? []
        var lines = [
            "checkpoint  \(model.path)",
            "weights     sha256 \(model.digest)",
            "model       \(model.configuration.model.name), \(model.parameterCount) parameters",
            "images      \(items.count), \(sampleSize.width)×\(sampleSize.height), \(channels) channels",
            "seeds       \(SeedList(items.map(\.seed)))",
            "classes     " + classes.prefix(12).joined(separator: ", ") + (classes.count > 12 ? ", …" : ""),
        ]
        lines += sampler.facts.map { name, value in
            name + String(repeating: " ", count: max(1, 12 - name.count)) + value
        }
        if model.integerLayerCount > 0 {
            lines.append("products    8-bit integers in \(model.integerLayerCount) layers")
        }
        if guidance.isOn { lines.append("guidance    \(guidance.scale)") }
        lines += [
            "recipe", recipe.node.yaml.split(separator: "\n").map { "  " + $0 }.joined(separator: "\n"),
        ]
        return lines.joined(separator: "\n")
    }

    /// The plan for programs.
    public var json: JSONValue {
        [
            "checkpoint": .string(model.path), "digest": .string(model.digest),
            "parameters": .integer(model.parameterCount), "recipe": recipe.node.json,
            "steps": .integer(stepCount), "width": .integer(sampleSize.width),
            "height": .integer(sampleSize.height),
            "images": .array(
                items.map { ["seed": .string("\($0.seed)"), "class": .string($0.className)] }),
        ]
    }

    /// What an image carries so that it can be made again.
    public func texts(for item: Item) -> [ImageText] {
        [
            ImageText("Software", "Sfumato"), ImageText(SampleTexts.seed, "\(item.seed)"),
            ImageText(SampleTexts.className, item.className),
            ImageText(SampleTexts.recipe, recipe.node.json.text),
            ImageText(SampleTexts.digest, model.digest),
        ]
    }
}
