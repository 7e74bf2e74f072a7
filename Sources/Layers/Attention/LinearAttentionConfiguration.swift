/// How linear attention turns sums into an average.
public enum AttentionNormalization: String, Codable, Hashable, Sendable, CaseIterable {
    /// Divide by the sum of the weights (LINA).
    case division
    /// Subtract the mean weight and add 1/L: the weights sum to one and may be negative (InLine).
    case subtraction
}

/// What a linear attention adds to its sum for the neighbourhood of a token.
public enum AttentionLocality: String, Codable, Hashable, Sendable, CaseIterable {
    case none
    /// A depthwise convolution of the mixer's input over the image tokens; `convolutionSize` says how wide.
    case depthwise
    /// A 3×3 convolution of the input over the image tokens whose kernels the mean token makes.
    case dynamicGrid
    /// A convolution of the values along the sequence, 5 wide, whose kernels the mean token makes.
    case dynamicSequence
    /// The parameters of the former, unused; instead a factor `alpha` on what differs from the mean value.
    case unusedDynamicSequence
}

/// What a linear attention is built from. The defaults are LINA's plain division form.
public struct LinearAttentionConfiguration: Codable, Hashable, Sendable {
    public var heads: Int
    public var normalization: AttentionNormalization = .division
    public var kernelFunction: KernelFunction = .relu
    public var locality: AttentionLocality = .none
    /// Side of the depthwise convolution, odd.
    public var convolutionSize = 5
    public var gate: GateKind = .none
    /// The positions of a gate with stored factors.
    public var gateTable: GateTable?
    /// RMS norm of the result times σ(W·x + b).
    public var hasOutputGate = false
    /// Separate projections `q` and `kv` instead of `qkv`.
    public var separatesQueries = false
    public var hasQKVBias = true
    /// Rotate behind the kernel function, where normalisers may vanish; published as a warning.
    public var rotatesAfterKernel = false

    public init(heads: Int) { self.heads = heads }

    /// - Throws: `ConfigurationError` naming the first field that cannot be.
    public func validate(width: Int) throws {
        guard heads > 0, width % heads == 0 else {
            throw ConfigurationError(
                field: "heads", demand: "a divisor of the width \(width), found \(heads)")
        }
        guard convolutionSize > 0, convolutionSize % 2 == 1 else {
            throw ConfigurationError(field: "convolutionSize", demand: "odd, found \(convolutionSize)")
        }
        guard gate != .splitKeys || normalization == .division else {
            throw ConfigurationError(
                field: "gate", demand: "another one: only the division form has a normaliser to split")
        }
        let stores = gate != .none && gate != .dynamic
        guard !stores || (gateTable?.count ?? 0) > 0 else {
            throw ConfigurationError(field: "gateTable", demand: "given for a gate with stored factors")
        }
    }
}
