import Archives
import Tensors

/// A way to denoise: a file of `samplers/` that says `task: denoise`.
public struct DenoisingRecipe: Settings, Hashable {
    public enum Task: String, Codable, CaseIterable, Sendable { case denoise }

    public var task = Task.denoise
    /// The trained model, relative to the recipe's folder; a run's folder or published weights work as well.
    public var checkpoint: String
    /// The level of the noise, on the 0–255 scale; absent to estimate it where the network must be told.
    public var sigma: Double?
    /// Of a tunable network: 1 removes noise as well as the network can, 0 keeps it.
    public var strength: Double?
    /// All parameters of a tunable network, instead of a strength.
    public var tuning: [Double]?
    /// Mean over the eight positions of the image.
    public var ensemble = false
    /// Side of tiles; 0 never cuts, absent cuts large images.
    public var tile: Int?
    /// Pixels around a tile that are restored with it; absent for what the network needs.
    public var overlap: Int?
    /// Side of the crops a network with global means was trained on, to make them local.
    public var localMeans: Int?
    /// What the operands of the network's products are rounded to; float32 where the processor has not the other.
    public var precision = ProductPrecision.float32

    public init(checkpoint: String) { self.checkpoint = checkpoint }

    public static var defaults: DenoisingRecipe { DenoisingRecipe(checkpoint: "") }
    public static var requiredKeys: Set<String> { ["task", "checkpoint"] }

    /// Whether settings are a recipe for denoising and not one for generating.
    public static func describes(_ node: SettingsNode) -> Bool { node["task"]?.text == Task.denoise.rawValue }

    public func validate() throws {
        try Self.require(sigma.map { $0 >= 0 } ?? true, "sigma", "at least 0, found \(sigma ?? 0)")
        try tuningSettings.validate()
        try Self.require(
            tile.map { $0 == 0 || $0 >= 16 } ?? true, "tile", "0 or at least 16, found \(tile ?? 0)")
        try Self.require((overlap ?? 0) >= 0, "overlap", "at least 0, found \(overlap ?? 0)")
        try Self.require((localMeans ?? 16) >= 16, "localMeans", "at least 16, found \(localMeans ?? 0)")
    }

    public var tuningSettings: TuningSettings {
        var settings = TuningSettings()
        (settings.strength, settings.tuning) = (strength, tuning)
        return settings
    }

    /// Reads a recipe with overrides on top; its checkpoint's path is made relative to the working folder.
    public init(recipeFile path: String, overrides: [SettingsOverride] = []) throws {
        let written = try DenoisingRecipe(file: path)
        self = try DenoisingRecipe(file: path, overrides: overrides)
        guard checkpoint == written.checkpoint, !checkpoint.hasPrefix("/") else { return }
        checkpoint = joinPath(splitPath(path).folder, checkpoint)
    }
}

extension DenoisingRecipe {
    /// The recipe of who names no model.
    public static let usualName = "denoise-nafnet-color"

    /// What a command's paths say: a recipe or a model, then images; or images alone, for the model that ships with
    /// the project.
    /// - Throws: `DenoisingError` when that model is not there; errors of a recipe's file.
    public static func resolve(_ paths: [String], overrides: [SettingsOverride] = []) throws -> (
        recipe: DenoisingRecipe, inputs: [String]
    ) {
        guard let first = paths.first else { throw DenoisingError("give at least one image") }
        if isImages(first) { return (try usual(overrides), paths) }
        if let file = recipeFile(first) {
            let recipe = try DenoisingRecipe(recipeFile: file, overrides: overrides)
            try requireWeights(recipe, remedy: "give another recipe or model")
            return (recipe, Array(paths.dropFirst()))
        }
        // Of a model without a recipe the strength alone can be set.
        let settings = try TuningSettings(overrides)
        var recipe = DenoisingRecipe(checkpoint: first)
        (recipe.strength, recipe.tuning) = (settings.strength, settings.tuning)
        return (recipe, Array(paths.dropFirst()))
    }

    /// Whether a path is no model but an image, or a folder of images.
    public static func isImages(_ path: String) -> Bool {
        if DenoisingPlan.isImageName(path) { return true }
        let holdsModel = ["model.safetensors", "checkpoints", "config.yaml"].contains {
            fileExists(joinPath(path, $0))
        }
        return isFolder(path) && !holdsModel
    }

    private static func usual(_ overrides: [SettingsOverride]) throws -> DenoisingRecipe {
        let name = "samplers/\(usualName).yaml"
        guard let file = ProjectFiles.find(name) else {
            throw DenoisingError(
                "\(name) was not found; set SFUMATO_HOME to the project's folder, or name a model before the images"
            )
        }
        let recipe = try DenoisingRecipe(recipeFile: file, overrides: overrides)
        try requireWeights(
            recipe, remedy: "set SFUMATO_HOME to the project's folder, or name a model before the images")
        return recipe
    }

    private static func requireWeights(_ recipe: DenoisingRecipe, remedy: String) throws {
        guard !fileExists(recipe.checkpoint) else { return }
        throw DenoisingError("\(recipe.checkpoint): the recipe's model was not found; \(remedy)")
    }

    /// A recipe by path, or by its name in `samplers/`; nil where the name is none of a recipe.
    private static func recipeFile(_ name: String) -> String? {
        if name.hasSuffix(".yaml"), fileExists(name) { return name }
        guard !fileExists(name), let file = ProjectFiles.find("samplers/\(name).yaml"),
            let node = try? SettingsNode(yamlFile: file), describes(node)
        else { return nil }
        return file
    }
}

extension ImageDenoiser {
    /// What a recipe says.
    /// - Parameter sigma: instead of the recipe's.
    public init(_ recipe: DenoisingRecipe, sigma: SigmaChoice? = nil) throws {
        let model = try DenoisingModel(path: recipe.checkpoint, localMeans: recipe.localMeans)
        try self.init(
            model, sigma: sigma ?? recipe.sigma.map(SigmaChoice.level),
            tuning: model.tuning(recipe.tuningSettings), isEnsemble: recipe.ensemble,
            tiles: TileChoice(tile: recipe.tile, overlap: recipe.overlap), precision: recipe.precision)
    }
}
