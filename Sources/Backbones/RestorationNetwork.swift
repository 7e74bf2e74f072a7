import Layers
import Tensors

/// A network for image restoration, described by its configuration.
public enum RestorationNetwork: Sendable, Hashable {
    case dncnn(DnCNNConfiguration)
    case ffdnet(FFDNet.Configuration)
    case drunet(DRUNet.Configuration)
    case nafnet(NAFNetConfiguration)
    /// Without classes and variance channels.
    case dico(DiCoConfiguration)

    /// Builds the network; the caller validates the store afterwards.
    public func makeRestorer(_ scope: Scope) -> any ImageRestorer {
        switch self {
        case .dncnn(let configuration): DnCNN(scope, configuration)
        case .ffdnet(let configuration): FFDNet(scope, configuration)
        case .drunet(let configuration): DRUNet(scope, configuration)
        case .nafnet(let configuration): NAFNet(scope, configuration)
        case .dico(let configuration): DiCoDenoiser(scope, configuration)
        }
    }

    /// The network that published parameters belong to, told by their names and shapes alone.
    ///
    /// What names and shapes cannot tell keeps its default: the momentum of batch normalisation, the activation, and
    /// whether a NAFNet's means are to be local.
    /// - Throws: `UnknownNetwork` when they are none of the family's.
    public init(inferredFrom shapes: [String: Shape]) throws {
        // What follows reads extents without asking again.
        for (name, shape) in shapes {
            let isWeight = name.hasSuffix(".weight") || name.hasSuffix(".den") || name.hasSuffix(".alfa")
            guard shape.extents.allSatisfy((1...1 << 20).contains), !isWeight || shape.rank > 0 else {
                throw UnknownNetwork("\(name) is \(shape)")
            }
        }
        if shapes["intro.weight"] != nil {
            self = .nafnet(try Self.nafnet(shapes))
        } else if let head = shapes["m_head.weight"], head.rank == 4,
            let body = shapes["m_down3.0.res.0.weight"]
        {
            let widths = [
                head[0], shapes["m_down2.0.res.0.weight"]?[0] ?? 0, body[0], Self.bodyWidth(shapes),
            ]
            var configuration = DRUNet.Configuration(
                imageChannels: head[1] - 1, widths: widths,
                blockCount: Self.count(shapes, "m_down1.", suffix: ".res.0.weight"))
            configuration.hasBiases = shapes["m_head.bias"] != nil
            self = .drunet(configuration)
        } else {
            self = try Self.chain(shapes)
        }
    }

    private static func bodyWidth(_ shapes: [String: Shape]) -> Int {
        (shapes["m_body.0.res.0.weight"] ?? shapes["m_body.res.0.weight"])?[0] ?? 0
    }

    /// Number of different indices between `prefix` and `suffix`.
    private static func count(_ shapes: [String: Shape], _ prefix: String, suffix: String = "") -> Int {
        Set(
            shapes.keys.filter { $0.hasPrefix(prefix) && $0.hasSuffix(suffix) }
                .compactMap { $0.dropFirst(prefix.count).split(separator: ".").first.flatMap { Int($0) } }
        ).count
    }

    private static func nafnet(_ shapes: [String: Shape]) throws -> NAFNetConfiguration {
        let kernel = kernel(shapes)
        guard let intro = shapes["intro.weight"]?.extents.suffix(4).map({ $0 }), intro.count == 4 else {
            throw UnknownNetwork("intro.weight is no convolution")
        }
        func counts(_ part: String) -> [Int] {
            (0..<count(shapes, part + ".")).map { count(shapes, "\(part).\($0).") }
        }
        let result = NAFNetConfiguration(
            imageChannels: intro[1], width: intro[0], encoderBlocks: counts("encoders"),
            middleBlocks: count(shapes, "middle_blks."), decoderBlocks: counts("decoders"), kernel: kernel)
        guard result.encoderBlocks.count == result.decoderBlocks.count, result.encoderBlocks.count <= 16
        else {
            throw UnknownNetwork(
                "\(result.encoderBlocks.count) encoder levels and \(result.decoderBlocks.count) decoder levels make no NAFNet"
            )
        }
        return result
    }

    /// DnCNN, FDnCNN or FFDNet.
    private static func chain(_ shapes: [String: Shape]) throws -> RestorationNetwork {
        let weights = shapes.filter { $0.key.hasSuffix(".weight") && $0.value.rank == 4 }
        let layers = weights.keys.sorted {
            (DnCNNConfiguration.layerIndex($0) ?? 0) < (DnCNNConfiguration.layerIndex($1) ?? 0)
        }
        guard layers.count > 1, layers.allSatisfy({ DnCNNConfiguration.layerIndex($0) != nil }),
            let first = layers.first.flatMap({ shapes[$0] }), let last = layers.last.flatMap({ shapes[$0] }),
            let prefix = layers[0].split(separator: ".").first
        else { throw UnknownNetwork("the names are those of no known restoration network") }
        if last[0] % 4 == 0, first[1] == last[0] + 1 {
            return .ffdnet(.init(imageChannels: last[0] / 4, depth: layers.count, width: first[0]))
        }
        guard let dialect = DnCNNConfiguration.Dialect.allCases.first(where: { $0.prefix == prefix }),
            first[1] == last[0] || first[1] == last[0] + 1
        else { throw UnknownNetwork("\(first[1]) channels in and \(last[0]) out make no DnCNN") }
        let hasBatchNorm = shapes.keys.contains { $0.hasSuffix(".running_mean") }
        var result = DnCNNConfiguration(
            imageChannels: last[0], depth: layers.count, width: first[0], hasBatchNorm: hasBatchNorm,
            dialect: dialect, kernel: kernel(shapes))
        result.takesNoiseLevel = first[1] == last[0] + 1
        result.isResidual = !result.takesNoiseLevel
        return .dncnn(result)
    }

    private static func kernel(_ shapes: [String: Shape]) -> ConvolutionKernel {
        if let mlp = shapes["intro.mlp.weight"], mlp.rank == 2 {
            return .tunable(KernelMixing(parameterCount: mlp[1], expansion: mlp[0] / max(1, mlp[1])))
        }
        if let weight = shapes["intro.weight"], weight.rank == 6 {
            return .tunable(KernelMixing(parameterCount: weight[1], rule: .linear))
        }
        // The coefficients are in the checkpoint; their number is the size of the kernels that have them.
        if let den = shapes.first(where: { $0.key.hasSuffix(".den") })?.value {
            return .weighted(
                KernelDensity(Array(repeating: 1, count: den.elementCount), isTrainable: true))
        }
        if let alfa = shapes.first(where: { $0.key.hasSuffix(".alfa") })?.value {
            return .weighted(KernelDensity(Array(repeating: 1, count: alfa.elementCount / 2)))
        }
        return .standard
    }
}

/// Parameters that belong to no network known here.
public struct UnknownNetwork: Error, CustomStringConvertible, Equatable {
    public var description: String

    public init(_ description: String) { self.description = description }
}
