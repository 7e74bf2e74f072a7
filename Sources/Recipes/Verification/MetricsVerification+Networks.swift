import Checkpoints
import Metrics
import Tensors

/// Parameters made from their names alone, so that cases of large networks need not store them: element i of a tensor
/// is a SplitMix64 number seeded by the FNV-1a hash of its name, scaled to the tensor's kind.
enum GeneratedWeights {
    /// 24 random bits as a fraction.
    static func unit(_ seed: UInt64, _ index: Int) -> Double {
        Double(StableHash.mix(seed &+ UInt64(index) &* 0x9E37_79B9_7F4A_7C15) >> 40) * 0x1p-24
    }

    /// Uniform in offset ± scale.
    static func values(_ name: String, count: Int, offset: Double, scale: Double) -> [Float] {
        let seed = StableHash.of(name)
        return (0..<count).map { Float(offset + scale * (2 * unit(seed, $0) - 1)) }
    }

    /// A tensor of a network that LPIPS looks through.
    static func trunk(_ name: String, _ shape: [Int]) -> [Float] {
        let count = shape.reduce(1, *)
        if shape.count == 1 { return values(name, count: count, offset: 0, scale: 0.05) }
        let fanIn = Double(shape.dropFirst().reduce(1, *))
        return values(name, count: count, offset: 0, scale: (6 / fanIn).squareRoot())
    }

    /// A tensor of the FID network.
    static func inception(_ name: String, _ shape: [Int]) -> [Float] {
        let count = shape.reduce(1, *)
        let fanIn = Double(shape.dropFirst().reduce(1, *))
        if shape.count > 1 { return values(name, count: count, offset: 0, scale: (6 / fanIn).squareRoot()) }
        let isGain = name.hasSuffix("bn.weight") || name.hasSuffix("running_var")
        return values(name, count: count, offset: isGain ? 1 : 0, scale: 0.25)
    }
}

// The FID network on generated parameters.
extension MetricsVerification {
    /// Features are of the order of one; their tolerance is absolute.
    private static let featureError = 2e-5

    static func generatedWeights(_ fixture: Fixture) throws -> MetricsComparisons {
        var comparisons = MetricsComparisons(fixture)
        for (name, rest) in comparisons.outputs("u24.") {
            let seed = StableHash.of(rest)
            let count = fixture.file["output." + name]?.elementCount ?? 0
            comparisons.add(name, within: 0, (0..<count).map { GeneratedWeights.unit(seed, $0) })
        }
        let shapes = fixture.config["shapes"]?.object ?? [:]
        func tensor(_ name: String) -> [Float]? {
            shapes[name]?.integers.map { GeneratedWeights.inception(name, $0) }
        }
        for (name, rest) in comparisons.outputs("head.") {
            guard let values = tensor(rest), let stored = fixture.file["output." + name] else { continue }
            comparisons.add(name, within: 0, values.prefix(stored.elementCount).map(Double.init))
        }
        for (name, rest) in comparisons.outputs("tail.") {
            guard let values = tensor(rest), let stored = fixture.file["output." + name] else { continue }
            comparisons.add(name, within: 0, values.suffix(stored.elementCount).map(Double.init))
        }
        return comparisons
    }

    static func inceptionBlock(_ fixture: Fixture) throws -> MetricsComparisons {
        var comparisons = MetricsComparisons(fixture)
        let name = try fixture.string("block")
        let source = WeightSource { GeneratedWeights.inception($0, $1) }
        guard let block = try InceptionBlock.named(name, in: source) else {
            throw UnsupportedFixture("\(fixture.name): the FID network has no block \(name)")
        }
        let x = try fixture.input("x")
        let y = block(channelsLast(x))
        for output in ["y", "y_f64_rounded"] { addFeatures(output, y, to: &comparisons) }
        return comparisons
    }

    static func inceptionNetwork(_ fixture: Fixture) throws -> MetricsComparisons {
        var comparisons = MetricsComparisons(fixture)
        let network = try InceptionNetwork(WeightSource { GeneratedWeights.inception($0, $1) })
        let modes: [(name: String, mode: InceptionMode)] = [
            ("tf1", .tensorFlow1), ("pytorch_fid", .pytorchFID), ("clean", .clean),
        ]
        for stored in fixture.inputs where stored.name.hasPrefix("image_") {
            let index = String(stored.name.dropFirst("image_".count))
            let image = try fixture.image("input." + stored.name)
            for (name, mode) in modes {
                let features = network.features(mode.input(image)) { stage, output in
                    if index == "0" && name == "tf1" { addStage(stage, output, to: &comparisons) }
                }
                for prefix in [name, name + "_f64"] {
                    for (tap, value) in features.taps.sorted(by: { $0.key < $1.key }) {
                        addFeatures("\(prefix).\(index).\(tap)", value, to: &comparisons)
                    }
                    addFeatures("\(prefix).\(index).spatial", features.spatial, to: &comparisons)
                    addFeatures("\(prefix).\(index).logits", features.logits, to: &comparisons)
                    addFeatures(
                        "\(prefix).\(index).logits_unbiased", features.unbiasedLogits, to: &comparisons)
                }
            }
        }
        return comparisons
    }

    /// Mean and deviation of every channel, and the first values of a stage of one image.
    private static func addStage(_ stage: String, _ output: Tensor, to comparisons: inout MetricsComparisons)
    {
        let channels = output.shape.channels
        let values = planar(output.scalars.map(Double.init), channels: channels)
        let size = values.count / channels
        let moments = (0..<channels).map { meanAndDeviation(Array(values[$0 * size..<($0 + 1) * size])) }
        addFeatures("stage_mean.\(stage)", moments.map(\.mean), to: &comparisons)
        addFeatures("stage_std.\(stage)", moments.map(\.deviation), to: &comparisons)
        let width = output.shape[2]
        let corner = (0..<64).map { values[$0 / 16 * size + $0 / 4 % 4 * width + $0 % 4] }
        addFeatures("stage_corner.\(stage)", corner, to: &comparisons)
    }

    private static func addFeatures(
        _ name: String, _ value: Tensor?, to comparisons: inout MetricsComparisons
    ) {
        guard let value else { return }
        let values = value.scalars.map(Double.init)
        let isMap = value.shape.rank == 4
        let size = isMap ? value.elementCount / value.shape[0] : 0
        let ordered =
            isMap
            ? (0..<value.shape[0]).flatMap {
                planar(Array(values[$0 * size..<($0 + 1) * size]), channels: value.shape.channels)
            } : values
        addFeatures(name, ordered, to: &comparisons)
    }

    private static func addFeatures(
        _ name: String, _ values: [Double], to comparisons: inout MetricsComparisons
    ) {
        guard let expected = comparisons.fixture.file["output." + name]?.doubles, !expected.isEmpty else {
            return
        }
        let rms = (expected.reduce(0) { $0 + $1 * $1 } / Double(expected.count)).squareRoot()
        comparisons.add(name, within: featureError / min(1, max(rms, 1e-3)), values)
    }

    /// Stored maps `[N, C, H, W]` in memory order.
    static func channelsLast(_ stored: StoredTensor) -> Tensor {
        let (values, shape) = (stored.floats, stored.shape)
        let (c, size) = (shape[1], shape[2] * shape[3])
        let ordered = (0..<values.count).map { i in
            values[i / (c * size) * c * size + i % c * size + i / c % size]
        }
        return Tensor(shape: [shape[0], shape[2], shape[3], c], scalars: ordered)
    }
}
