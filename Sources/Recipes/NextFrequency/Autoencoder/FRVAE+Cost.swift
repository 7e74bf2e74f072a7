import Autoregression
import Backbones
import Layers
import Tensors

extension FRVAEConfiguration {
    /// The size of its images.
    var fixedSize: ImageSize { ImageSize(width: imageSize.width, height: imageSize.height) }

    /// Every tensor of a checkpoint, by published name.
    /// - Throws: `ConfigurationError` naming the field that cannot be.
    func parameterShapes() throws -> [(name: String, shape: Shape)] {
        let store = ParameterStore(.shapesOnly, isTracked: false)
        _ = try FRVAE(store.scope, self)
        return store.shapes
    }

    /// How often each scalar of a parameter is multiplied when one image is coded, and when it is decoded. Attention's
    /// products of all pairs are left out.
    func positions(_ name: String, _ shape: Shape) -> (encoding: Int, decoding: Int) {
        let parts = name.split(separator: ".").map(String.init)
        guard shape.rank >= 2, parts.last == "weight", parts.count >= 2 else { return (0, 0) }
        let grids = quantizer.pyramid.grids
        let (finest, last) = ((grids.last ?? Grid(0)).count, codec.multipliers.count - 1)
        func pixels(_ level: Int) -> Int { finest << (2 * (last - level)) }
        let level = parts.count > 2 ? Int(parts[2]) ?? 0 : 0
        switch (parts[0], parts[1]) {
        case ("encoder", "conv_in"): return (pixels(0), 0)
        // What halves the resolution works at the smaller one, what doubles it at the larger one.
        case ("encoder", "down"): return (pixels(level + (parts.contains("downsample") ? 1 : 0)), 0)
        case ("encoder", _), ("quant_conv", _): return (finest, 0)
        case ("quantize", "embedding"): return (grids.map(\.count).reduce(0, +), 0)
        case ("quantize", "quant_resi"):
            let uses = finest * grids.count / max(1, quantizer.refinementCount)
            return (uses, uses)
        case ("decoder", "up"): return (0, pixels(level - (parts.contains("upsample") ? 1 : 0)))
        case ("decoder", "conv_out"): return (0, pixels(0))
        case ("decoder", _), ("post_quant_conv", _): return (0, finest)
        default: return (0, 0)
        }
    }

    /// Coding and decoding one image, by stage.
    /// - Throws: `ConfigurationError` naming the field that cannot be.
    func stages() throws -> [ModelStage] {
        var stages: [ModelStage] = []
        for (name, shape) in try parameterShapes() {
            let stage = String(name.prefix { $0 != "." })
            let index = stages.firstIndex { $0.name == stage } ?? stages.endIndex
            if index == stages.endIndex {
                stages.append(ModelStage(name: stage, parameterCount: 0, multiplyAccumulates: 0))
            }
            let uses = positions(name, shape)
            stages[index].parameterCount += shape.elementCount
            stages[index].multiplyAccumulates += (uses.encoding + uses.decoding) * shape.elementCount
        }
        return stages
    }
}
