import Layers
import Tensors

/// What a restoration network is made of and what it computes, counted without making it.
extension RestorationNetwork {
    /// A part of a network.
    public struct StageCost: Sendable, Hashable {
        /// What the names of its parameters begin with.
        public var name: String
        public var parameters: Int
        /// Multiply–accumulates for one image.
        public var multiplyAccumulates: Int
    }

    /// Names and shapes of the parameters, running statistics and given densities not counted, in the order of the
    /// network.
    public var parameterShapes: [(name: String, shape: Shape)] {
        let store = ParameterStore(.shapesOnly, isTracked: false)
        _ = makeRestorer(store.scope)
        return store.all.map { ($0.name, $0.tensor.shape) }
    }

    /// Multiply–accumulates of convolutions and linear layers for one image by stage, the count that papers call
    /// FLOPs. Sizes are padded as the network pads them; tunable kernels count once, as they are mixed before they
    /// are applied.
    public func stageCosts(height: Int, width: Int) -> [StageCost] {
        func padded(_ extent: Int) -> Int { (extent + sizeMultiple - 1) / sizeMultiple * sizeMultiple }
        if case .dico(let configuration) = self {
            return configuration.stageCosts(height: padded(height), width: padded(width)).map {
                StageCost(
                    name: $0.stage, parameters: $0.parameters, multiplyAccumulates: $0.multiplyAccumulates)
            }
        }
        let pixels = padded(height) * padded(width)
        var stages: [StageCost] = []
        var places: [String: Int] = [:]
        for (name, shape) in parameterShapes {
            let stage = stageName(of: name)
            let place = places[stage] ?? stages.count
            if place == stages.count {
                stages.append(StageCost(name: stage, parameters: 0, multiplyAccumulates: 0))
                places[stage] = place
            }
            stages[place].parameters += shape.elementCount
            stages[place].multiplyAccumulates += operations(name, shape, pixels: pixels)
        }
        return stages
    }

    /// The stage that a parameter belongs to: a layer of a chain together with its normalisation, a level of a U.
    public func stageName(of parameter: String) -> String {
        let parts = parameter.split(separator: ".")
        guard parts.count > 1 else { return parameter }
        switch self {
        case .dncnn(let configuration):
            guard configuration.hasBatchNorm, let index = Int(parts[1]), index > 0 else { break }
            // The normalisation of layer l is numbered after its convolution, 3l − 1.
            return "\(parts[0]).\((index + 1) / 3 * 3 - 1)"
        case .ffdnet: break
        case .drunet, .dico: return String(parts[0])
        case .nafnet:
            let hasLevels = ["encoders", "downs", "ups", "decoders"].contains(parts[0])
            return hasLevels ? "\(parts[0]).\(parts[1])" : String(parts[0])
        }
        return "\(parts[0]).\(parts[1])"
    }

    private func operations(_ name: String, _ shape: Shape, pixels: Int) -> Int {
        guard name.hasSuffix(".weight"), shape.rank >= 2, !name.contains("norm") else { return 0 }
        // What mixes kernels works on one vector.
        if shape.rank == 2 { return shape.elementCount }
        let applied = shape.rank == 6 ? shape.elementCount / max(1, shape[1]) : shape.elementCount
        switch self {
        case .dncnn: return pixels * applied
        case .dico: return 0  // DiCoConfiguration counts its own.
        case .ffdnet: return pixels / 4 * applied
        case .drunet: return pixels >> (2 * Self.drunetLevel(name)) * applied
        case .nafnet(let configuration):
            if name.contains(".sca.") { return applied }
            return pixels >> (2 * Self.nafnetLevel(name, configuration)) * applied
        }
    }

    /// How often the image was halved where a convolution multiplies; a transposed one multiplies before it doubles.
    private static func drunetLevel(_ name: String) -> Int {
        if name.hasPrefix("m_body") { return 3 }
        let isBlock = name.contains(".res.")
        for level in 1...3 where name.hasPrefix("m_down\(level)") || name.hasPrefix("m_up\(level)") {
            return isBlock ? level - 1 : level
        }
        return 0
    }

    private static func nafnetLevel(_ name: String, _ configuration: NAFNetConfiguration) -> Int {
        let parts = name.split(separator: ".")
        let (levels, index) = (configuration.encoderBlocks.count, Int(parts[1]) ?? 0)
        switch parts[0] {
        case "encoders": return index
        case "downs": return index + 1
        case "middle_blks": return levels
        case "ups": return levels - index
        case "decoders": return levels - 1 - index
        default: return 0
        }
    }
}
