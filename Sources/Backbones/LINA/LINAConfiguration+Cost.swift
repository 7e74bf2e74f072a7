import Tensors

extension LINAConfiguration {
    /// Parameters, and multiply–accumulates of convolutions and linear layers, by part of the network in its order: for
    /// one image whose condition is computed once, whose tokens all pass both halves of the encoder, and the head once.
    public var stageCosts: [(stage: String, parameters: Int, multiplyAccumulates: Int)] {
        var order: [String] = []
        var costs: [String: (parameters: Int, operations: Int)] = [:]
        for (name, shape) in parameterShapes {
            let stage = String(name.prefix { $0 != "." })
            if costs[stage] == nil { order.append(stage) }
            var cost = costs[stage] ?? (0, 0)
            cost.parameters += shape.elementCount
            cost.operations += positions(name, shape) * shape.elementCount
            if name.hasSuffix(".attn.proj.weight") { cost.operations += mixingOperations(tokens(of: stage)) }
            costs[stage] = cost
        }
        return order.map { ($0, costs[$0]?.parameters ?? 0, costs[$0]?.operations ?? 0) }
    }

    /// What attention multiplies beside its projections: two products with d×d matrices, or with all pairs of tokens.
    private func mixingOperations(_ tokens: Int) -> Int {
        2 * tokens * hiddenSize * (mixer == .softmax ? tokens : hiddenSize / heads)
    }

    /// Length of the sequence that a part's blocks work on.
    private func tokens(of stage: String) -> Int {
        conditionGrid.count
            + (stage == "video_encoder" ? (textSize > 0 ? textLength : 1) : grid.count)
    }

    /// How often each scalar of a parameter is multiplied. Tables are looked up, biases added.
    private func positions(_ name: String, _ shape: Shape) -> Int {
        if shape.rank < 2 || name.hasSuffix("_scale") || name.hasPrefix("video_encoder.patch_embed") {
            return 0
        }
        if name.hasPrefix("image_decoder") || name.hasPrefix("image_encoder.patch_embed")
            || name.contains(".dw_conv.")
        {
            return grid.count
        }
        switch name.prefix(while: { $0 != "." }) {
        case "video_encoder": return tokens(of: "video_encoder")
        case "image_encoder": return tokens(of: "image_encoder")
        case "text_embed": return name == "text_embed.proj.weight" ? textLength : 0
        case "video_pos_embed": return 1
        default: return 0
        }
    }
}
