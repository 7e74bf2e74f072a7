import Tensors

extension DiCoConfiguration {
    /// Multiply–accumulates of convolutions and linear layers for one image, the count the paper calls FLOPs
    /// (arithmetic operations are twice as many). Norms, activations and pooling are left out.
    public func multiplyAccumulates(height: Int, width: Int) -> Int {
        stageCosts(height: height, width: width).reduce(0) { $0 + $1.multiplyAccumulates }
    }

    /// The same by stage, in the order of the network.
    public func stageCosts(height: Int, width: Int) -> [(
        stage: String, parameters: Int, multiplyAccumulates: Int
    )] {
        let pixels = height / patchSize * (width / patchSize)
        var order: [String] = []
        var costs: [String: (parameters: Int, operations: Int)] = [:]
        // Given densities are buffers: nothing learned, and multiplied into the weights beforehand.
        for (name, shape) in parameterShapes where !name.hasSuffix(".Phi") && !name.hasSuffix(".alfa") {
            let stage = String(name.prefix { $0 != "." })
            if costs[stage] == nil { order.append(stage) }
            var cost = costs[stage] ?? (0, 0)
            cost.parameters += shape.elementCount
            // Tunable kernels are mixed before they are applied.
            let applied = shape.rank == 6 ? shape.elementCount / max(1, shape[1]) : shape.elementCount
            cost.operations += Self.positions(name, shape, pixels: pixels) * applied
            if name.hasSuffix(".attn.proj.weight") {
                cost.operations += mixingOperations(
                    tokens: Self.stagePixels(name, pixels: pixels), width: shape[0])
            }
            costs[stage] = cost
        }
        return order.map { ($0, costs[$0]?.parameters ?? 0, costs[$0]?.operations ?? 0) }
    }

    /// What attention multiplies beside its projections: two products with d×d matrices, or with all pairs of tokens.
    private func mixingOperations(tokens: Int, width: Int) -> Int {
        mixer == .softmaxAttention ? 2 * tokens * tokens * width : 2 * tokens * width * mixerHeadSize
    }

    /// How often each scalar of a parameter is multiplied.
    private static func positions(_ name: String, _ shape: Shape, pixels: Int) -> Int {
        // Tables are looked up, biases added; linear layers and channel attention see one vector per image.
        if shape.rank < 2 || name.hasPrefix("y_embedder") || name.hasSuffix("_scale") { return 0 }
        if name.hasSuffix(".bias") { return 0 }
        if name.contains(".attn.") { return stagePixels(name, pixels: pixels) }
        if shape.rank == 2 || name.contains(".ca.") { return 1 }
        return stagePixels(name, pixels: pixels)
    }

    /// Pixels at which a stage works.
    private static func stagePixels(_ name: String, pixels: Int) -> Int {
        // Down- and upsampling convolve before they change the resolution.
        switch name.prefix(while: { $0 != "." }) {
        case "latent", "up3_2": return pixels / 16
        case "encoder_level_2", "down2_3", "decoder_level_2", "reduce_chan_level2", "up2_1": return pixels / 4
        default: return pixels
        }
    }
}
