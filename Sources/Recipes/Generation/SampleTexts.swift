import Images

/// What a sample says of its own making, in PNG text chunks.
public struct SampleTexts: Sendable {
    static let seed = "sfumato.seed"
    static let className = "sfumato.class"
    static let recipe = "sfumato.recipe"
    static let digest = "sfumato.checkpoint.sha256"

    public let recipe: SamplingRecipe
    public let seed: UInt64
    /// SHA-256 of the weights that made it.
    public let digest: String

    /// - Throws: `GenerationError` when the image carries no recipe; errors of reading the file.
    public init(imageFile path: String) throws {
        let texts = try Image(path: path).texts
        func text(_ keyword: String) throws -> String {
            guard let text = texts.first(where: { $0.keyword == keyword })?.text else {
                throw GenerationError(
                    "\(path): carries no \(keyword), so it cannot be repeated; give a PNG that sfumato generate made"
                )
            }
            return text
        }
        let number = try text(Self.seed)
        guard let seed = UInt64(number) else {
            throw GenerationError("\(path): its \(Self.seed) is \"\(number)\", which is no seed")
        }
        self.seed = seed
        digest = try text(Self.digest)
        var recipe = try SamplingRecipe(json: try text(Self.recipe), name: "\(path): \(Self.recipe)")
        // A class is chosen by seed among the recipe's; only the image's own is needed again.
        recipe.classes = [try text(Self.className)]
        self.recipe = recipe
    }
}
