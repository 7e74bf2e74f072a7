import Backbones
import Layers
import Tensors

extension ConvolutionKernel: TaggedSettings {}

extension DnCNNConfiguration: Settings {
    public static var defaults: DnCNNConfiguration { DnCNNConfiguration() }
}
extension FFDNet.Configuration: Settings {
    public static var defaults: FFDNet.Configuration { FFDNet.Configuration() }
}
extension DRUNet.Configuration: Settings {
    public static var defaults: DRUNet.Configuration { DRUNet.Configuration() }

    public func validate() throws {
        try Self.require(widths.count == 4 && widths.allSatisfy { $0 > 0 }, "widths", "four, found \(widths)")
        try Self.require(blockCount > 0, "blockCount", "at least 1, found \(blockCount)")
    }
}
extension NAFNetConfiguration: Settings {
    public static var defaults: NAFNetConfiguration {
        NAFNetConfiguration(encoderBlocks: [], middleBlocks: 0, decoderBlocks: [])
    }
    public static var requiredKeys: Set<String> { ["encoderBlocks", "middleBlocks", "decoderBlocks"] }
}

/// Which restoration network: `{kind: dncnn, depth: 17, kernel: {kind: weighted, density: [0.7]}}`.
public enum RestorationModelSettings: TaggedSettings, Hashable {
    case dncnn(DnCNNConfiguration)
    case ffdnet(FFDNet.Configuration)
    case drunet(DRUNet.Configuration)
    case nafnet(NAFNetConfiguration)
    case dico(DiCoConfiguration)

    enum Kind: String, Codable, CaseIterable {
        case dncnn, ffdnet, drunet, nafnet
        /// `dico` alone is the generator.
        case dico = "dicoDenoiser"
    }
    private enum Key: String, CodingKey { case kind }

    public init(from decoder: any Decoder) throws {
        switch try decoder.container(keyedBy: Key.self).decode(Kind.self, forKey: .kind) {
        case .dncnn: self = .dncnn(try .members(of: decoder))
        case .ffdnet: self = .ffdnet(try .members(of: decoder))
        case .drunet: self = .drunet(try .members(of: decoder))
        case .nafnet: self = .nafnet(try .members(of: decoder))
        case .dico:
            let configuration: DiCoConfiguration = try .members(of: decoder, defaults: .denoiser)
            try configuration.validateDenoiser()
            self = .dico(configuration)
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(kind, forKey: .kind)
        switch self {
        case .dncnn(let configuration): try configuration.encode(to: encoder)
        case .ffdnet(let configuration): try configuration.encode(to: encoder)
        case .drunet(let configuration): try configuration.encode(to: encoder)
        case .nafnet(let configuration): try configuration.encode(to: encoder)
        case .dico(let configuration): try configuration.encode(to: encoder)
        }
    }

    init(_ network: RestorationNetwork) {
        switch network {
        case .dncnn(let configuration): self = .dncnn(configuration)
        case .ffdnet(let configuration): self = .ffdnet(configuration)
        case .drunet(let configuration): self = .drunet(configuration)
        case .nafnet(let configuration): self = .nafnet(configuration)
        case .dico(let configuration): self = .dico(configuration)
        }
    }

    public var network: RestorationNetwork {
        switch self {
        case .dncnn(let configuration): .dncnn(configuration)
        case .ffdnet(let configuration): .ffdnet(configuration)
        case .drunet(let configuration): .drunet(configuration)
        case .nafnet(let configuration): .nafnet(configuration)
        case .dico(let configuration): .dico(configuration)
        }
    }

    var kind: Kind {
        switch self {
        case .dncnn: .dncnn
        case .ffdnet: .ffdnet
        case .drunet: .drunet
        case .nafnet: .nafnet
        case .dico: .dico
        }
    }

    /// What people call the network.
    public var name: String {
        switch self {
        case .dncnn: "DnCNN"
        case .ffdnet: "FFDNet"
        case .drunet: "DRUNet"
        case .nafnet: "NAFNet"
        case .dico: "DiCo"
        }
    }
}
