import Tensors

extension TrainingDraw {
    /// The draws of one training step, which depend on (seed, step, sample) only: the same however the batch
    /// is split into smaller ones.
    /// - Parameters:
    ///   - samples: positions in the whole batch of the step.
    ///   - sampleShape: `[H, W, C]`.
    public init(seed: UInt64, step: Int, samples: Range<Int>, sampleShape: [Int]) {
        let root = RandomStream(seed: seed)
        let noise = root.stream(named: "training noise").stream(UInt64(step))
        let uniform = root.stream(named: "training level").stream(UInt64(step))
        let normal = root.stream(named: "training level, normal").stream(UInt64(step))
        let size = sampleShape.reduce(1, *)
        self.init(
            noise: noise.normals(
                Shape([samples.count] + sampleShape), from: UInt64(samples.lowerBound * size)),
            uniform: samples.map { uniform.uniformDouble(at: UInt64($0)) },
            normal: samples.map { Double(normal.normal(at: UInt64($0))) })
    }
}
