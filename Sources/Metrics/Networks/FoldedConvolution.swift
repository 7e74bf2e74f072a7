/// A convolution that does the work of the batch normalisation behind it, in inference mode.
struct FoldedConvolution {
    private(set) var weight: [Float]
    let bias: [Float]

    /// - Parameters:
    ///   - weight: outputs first.
    ///   - normalization: has `weight`, `bias`, `running_mean`, `running_var`.
    init(weight: [Float], normalization: WeightSource, channels: Int, epsilon: Double) throws {
        let gain = try normalization("weight", [channels])
        let shift = try normalization("bias", [channels])
        let mean = try normalization("running_mean", [channels])
        let variance = try normalization("running_var", [channels])
        let scale = zip(gain, variance).map { Double($0) / (Double($1) + epsilon).squareRoot() }
        self.weight = weight
        let size = weight.count / channels
        for o in 0..<channels {
            for i in o * size..<(o + 1) * size { self.weight[i] = Float(Double(weight[i]) * scale[o]) }
        }
        bias = (0..<channels).map { Float(Double(shift[$0]) - Double(mean[$0]) * scale[$0]) }
    }
}
