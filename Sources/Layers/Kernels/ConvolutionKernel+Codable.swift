// In settings a kernel is one flat group: `{kind: weighted, density: [0.7], isTrainable: true}`.
extension ConvolutionKernel: Codable {
    /// The kernels by name.
    public enum Kind: String, Codable, Sendable, CaseIterable { case standard, weighted, tunable }

    private enum CodingKeys: String, CodingKey {
        case kind, density, isTrainable, parameterCount, expansion, rule
    }

    public var kind: Kind {
        switch self {
        case .standard: .standard
        case .weighted: .weighted
        case .tunable: .tunable
        }
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        switch try values.decode(Kind.self, forKey: .kind) {
        case .standard: self = .standard
        case .weighted:
            self = .weighted(
                KernelDensity(
                    try values.decode([Float].self, forKey: .density),
                    isTrainable: try values.decodeIfPresent(Bool.self, forKey: .isTrainable) ?? false))
        case .tunable:
            let rule = try values.decodeIfPresent(KernelMixing.Rule.self, forKey: .rule) ?? .mlp
            let expansion = try values.decodeIfPresent(Int.self, forKey: .expansion) ?? 1
            let count = try values.decode(Int.self, forKey: .parameterCount)
            guard count > 0, expansion > 0, rule == .mlp || expansion == 1 else {
                throw ConfigurationError(
                    field: "kernel",
                    demand:
                        "tunable with a parameterCount above 0 and, when its rule is linear, an expansion of 1; found \(count) and \(expansion)"
                )
            }
            self = .tunable(KernelMixing(parameterCount: count, expansion: expansion, rule: rule))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(kind, forKey: .kind)
        switch self {
        case .standard: break
        case .weighted(let density):
            try values.encode(density.coefficients, forKey: .density)
            try values.encode(density.isTrainable, forKey: .isTrainable)
        case .tunable(let mixing):
            try values.encode(mixing.parameterCount, forKey: .parameterCount)
            try values.encode(mixing.expansion, forKey: .expansion)
            try values.encode(mixing.rule, forKey: .rule)
        }
    }
}
