import Layers
import Tensors

/// What the released VAR checkpoints hold beside parameters: tables that the configuration determines. They
/// are compared and dropped, so that a checkpoint made for other levels is noticed.
public enum VARCheckpoint {
    /// Names and shapes of the stored tables.
    public static func tables(_ configuration: VARConfiguration) -> [(name: String, shape: Shape)] {
        let length = configuration.tokenCount
        return [("lvl_1L", [1, length]), ("attn_bias_for_masking", [1, 1, length, length])]
            + (0..<configuration.depth).map { ("blocks.\($0).attn.zero_k_bias", [configuration.width]) }
    }

    /// The parameters alone.
    /// - Parameter name: the file, for messages.
    /// - Throws: `ConfigurationError` when a table shows that the file's levels are others.
    public static func parameters(
        of tensors: [String: Tensor], _ configuration: VARConfiguration, name: String
    ) throws -> [String: Tensor] {
        var rest = tensors
        for (table, _) in tables(configuration) { rest[table] = nil }
        let expected = configuration.levelOfToken.map(Float.init)
        if let stored = tensors["lvl_1L"], stored.scalars != expected {
            throw mismatch(configuration, "\(name) has tokens of other levels (lvl_1L, \(stored.shape))")
        }
        if let stored = tensors["attn_bias_for_masking"], !isBlockCausal(stored, configuration) {
            throw mismatch(
                configuration, "\(name) masks other tokens (attn_bias_for_masking, \(stored.shape))")
        }
        for (key, value) in tensors
        where key.hasSuffix(".zero_k_bias") && value.scalars.contains(where: { $0 != 0 }) {
            throw ConfigurationError(field: "\(name): \(key)", demand: "zero, because keys have no bias")
        }
        return rest
    }

    private static func mismatch(_ configuration: VARConfiguration, _ problem: String) -> ConfigurationError {
        ConfigurationError(
            field: "grids",
            demand: "the checkpoint's levels: \(problem), the configuration has \(configuration.grids)")
    }

    private static func isBlockCausal(_ bias: Tensor, _ configuration: VARConfiguration) -> Bool {
        let length = configuration.tokenCount
        guard bias.shape == [1, 1, length, length] else { return false }
        let visible = configuration.visibleTokens
        return bias.withScalars { values in
            (0..<length).allSatisfy { row in
                (0..<length).allSatisfy { (values[row * length + $0] == 0) == ($0 < visible[row]) }
            }
        }
    }
}
