import Archives
import Checkpoints
import Images
import Metrics
import Tensors

// LPIPS on generated weights, and what files beside a case should be read as.
extension MetricsVerification {
    static func perceptualDistance(_ fixture: Fixture) throws -> MetricsComparisons {
        var comparisons = MetricsComparisons(fixture)
        let tolerance = MetricsComparisons.Tolerance.features
        let name = try fixture.string("backbone")
        let backbones: [String: PerceptualDistance.Backbone] = [
            "alexnet": .alex, "vgg16": .vgg, "squeezenet1_1": .squeeze,
        ]
        guard let backbone = backbones[name] else {
            throw UnsupportedFixture("\(fixture.name): no LPIPS looks through \(name)")
        }
        let distance = try PerceptualDistance(
            backbone, trunk: WeightSource { GeneratedWeights.trunk("\(name).\($0)", $1) },
            heads: WeightSource {
                GeneratedWeights.values(
                    "lpips.\(backbone.rawValue).\($0)", count: $1.reduce(1, *), offset: 0.5, scale: 0.5)
            })
        let (a, b) = (
            channelsLast(try fixture.input("a")), channelsLast(try fixture.input("b"))
        )
        let value = try distance(a, b)
        comparisons.add("value", within: tolerance, value.values)
        comparisons.add("per_layer", within: tolerance, value.perTap.flatMap { $0 })
        comparisons.add("baseline_no_linear", within: tolerance, value.unweighted)
        try comparisons.add("spatial", within: tolerance, distance.spatial(a, b))
        try comparisons.add(
            "value_v0.0_no_scaling", within: tolerance, distance(a, b, scalesInput: false).values)
        // The package was given the same images in 0…1.
        comparisons.add("value_from_unit_range", within: tolerance, value.values)
        for (index, tap) in distance.taps(a).enumerated() {
            comparisons.add("tap\(index)_mean", within: tolerance, tap.spatialMean().scalars.map(Double.init))
            comparisons.add(
                "tap\(index)_shape", within: 0,
                [tap.shape[0], tap.shape[3], tap.shape[1], tap.shape[2]].map(Double.init))
        }
        return comparisons
    }

    /// Decoding to RGB as Pillow's `convert` does, 16-bit grey clipped. The images lie in `files/images`.
    static func decodedImages(_ fixture: Fixture) throws -> MetricsComparisons {
        var comparisons = MetricsComparisons(fixture)
        let folder = joinPath(splitPath(fixture.path).folder, "files/images")
        for (name, _) in comparisons.outputs("") {
            let image = try Image(path: joinPath(folder, name))
            let isGrey = image.channels < 3
            let rgb = image.eightBit(isGrey ? .clipped : .highByte).converted(to: .rgb)
            comparisons.add(name, within: 0, rgb.bytes.map(Double.init))
        }
        return comparisons
    }

    /// Arrays of NumPy's and PyTorch's files. They lie in `files`; an output is named `file/array`.
    static func storedArrays(_ fixture: Fixture) throws -> MetricsComparisons {
        var comparisons = MetricsComparisons(fixture)
        let folder = joinPath(splitPath(fixture.path).folder, "files")
        var read: [String: [StoredTensor]] = [:]
        for (name, _) in comparisons.outputs("") {
            let (file, array) = splitPath(name)
            if read[file] == nil { read[file] = try arrays(joinPath(folder, file)) }
            guard let found = read[file]?.first(where: { $0.name == array }) else {
                throw CheckpointFileError(
                    file: joinPath(folder, file), tensor: array,
                    problem: "is not there; found \(read[file]?.map(\.name).joined(separator: ", ") ?? "")")
            }
            comparisons.add(name, within: 0, found.doubles)
        }
        return comparisons
    }

    private static func arrays(_ path: String) throws -> [StoredTensor] {
        if path.hasSuffix(".npz") { return try NumPyArchive.read(path: path) }
        if path.hasSuffix(".npy") {
            var array = try NumPyArray.read(path: path)
            array.name = "value"
            return [array]
        }
        let file = try TorchFile(path: path)
        return try file.tensors(under: file.root)
    }
}
