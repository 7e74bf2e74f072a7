import Archives
import Layers
import Tensors

/// A way to make samples: a file of `samplers/`.
public struct SamplingRecipe: Settings, Hashable {
    /// The trained model, relative to the recipe's folder; a run's folder or state works as well.
    public var checkpoint: String?
    /// What a seed is drawn as: seed k shows `classes[k mod count]`. Names or numbers; absent for all classes in turn,
    /// `[none]` for samples without a class.
    public var classes: [String]?
    /// Width and height; absent for the size the model was trained on.
    public var size: ImageSize?
    /// Of a model of latents: the autoencoder that makes images of them, as `sfumato convert` wrote it.
    public var decoder: String?
    /// SHA-256 of its weights; another one is then an error.
    public var decoderDigest: String?
    /// The seed of the first image.
    public var seed: UInt64 = 0
    /// What the operands of the network's products are rounded to; float32 where the processor has not the other.
    public var precision = ProductPrecision.float32
    /// Solver, steps, schedule, guidance and clip stand beside these keys.
    public var sampler = SamplerSettings()

    public init(
        checkpoint: String? = nil, classes: [String]? = nil, size: ImageSize? = nil, decoder: String? = nil,
        seed: UInt64 = 0, sampler: SamplerSettings = SamplerSettings()
    ) {
        self.checkpoint = checkpoint
        self.classes = classes
        self.size = size
        self.decoder = decoder
        self.seed = seed
        self.sampler = sampler
    }

    public static var defaults: SamplingRecipe { SamplingRecipe() }

    private enum Key: String, CodingKey {
        case checkpoint, classes, size, decoder, decoderDigest, seed, precision
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        checkpoint = try container.decodeIfPresent(String.self, forKey: .checkpoint)
        classes = try container.decodeIfPresent([String].self, forKey: .classes)
        size = try container.decodeIfPresent(ImageSize.self, forKey: .size)
        self.decoder = try container.decodeIfPresent(String.self, forKey: .decoder)
        decoderDigest = try container.decodeIfPresent(String.self, forKey: .decoderDigest)
        seed = try container.decode(UInt64.self, forKey: .seed)
        precision = try container.decode(ProductPrecision.self, forKey: .precision)
        sampler = try .members(of: decoder)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encodeIfPresent(checkpoint, forKey: .checkpoint)
        try container.encodeIfPresent(classes, forKey: .classes)
        try container.encodeIfPresent(size, forKey: .size)
        try container.encodeIfPresent(decoder, forKey: .decoder)
        try container.encodeIfPresent(decoderDigest, forKey: .decoderDigest)
        try container.encode(seed, forKey: .seed)
        try container.encode(precision, forKey: .precision)
        try sampler.encode(to: encoder)
    }

    public func validate() throws {
        try Self.require(
            classes.map { !$0.isEmpty } ?? true, "classes", "a list with at least one class, found []")
    }

    /// Reads a recipe; the paths that it names are made relative to the working folder.
    public init(recipeFile path: String, overrides: [SettingsOverride] = []) throws {
        guard try !DenoisingRecipe.describes(SettingsNode(yamlFile: path)) else {
            throw GenerationError("\(path): is a recipe for denoising; use it with sfumato denoise")
        }
        let written = try SamplingRecipe(file: path, overrides: [])
        self = try SamplingRecipe(file: path, overrides: overrides)
        let folder = splitPath(path).folder
        if let checkpoint, checkpoint == written.checkpoint, !checkpoint.hasPrefix("/") {
            self.checkpoint = joinPath(folder, checkpoint)
        }
        if let decoder, decoder == written.decoder, !decoder.hasPrefix("/") {
            self.decoder = joinPath(folder, decoder)
        }
        if let image = sampler.bands?.from, image == written.sampler.bands?.from, !image.hasPrefix("/") {
            sampler.bands?.from = joinPath(folder, image)
        }
        if let prompts = sampler.masked?.prompts, prompts == written.sampler.masked?.prompts,
            !prompts.hasPrefix("/")
        {
            sampler.masked?.prompts = joinPath(folder, prompts)
        }
    }
}

extension SamplingRecipe {
    /// The defaults with overrides on top, where there is no file.
    public init(overrides: [SettingsOverride]) throws {
        try self.init(SettingsNode(.mapping([]), origin: "recipe").applying(overrides))
    }
}
