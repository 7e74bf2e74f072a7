import Backbones
import Checkpoints
import Layers
import Tensors

// The DnCNN family and DRUNet.
extension DenoiseVerification {
    /// cszn/DnCNN's PyTorch code, with plain or weighted convolutions.
    static func dncnn(_ fixture: Fixture) throws -> VerificationResult {
        try chain(fixture, try pyTorchConfiguration(fixture))
    }

    static func pyTorchConfiguration(_ fixture: Fixture) throws -> DnCNNConfiguration {
        var result = DnCNNConfiguration(
            imageChannels: try fixture.count("image_channels"),
            depth: try fixture.count("depth", in: 2...1000),
            width: try fixture.count("n_channels"), dialect: .dncnnPyTorch)
        if let epsilon = fixture.config["bn_eps"]?.number { result.batchNormEpsilon = Float(epsilon) }
        result.batchNormMomentum = fixture.config["bn_momentum"]?.number.map { Float($0) }
        if let density = fixture.config["den"]?.numbers {
            result.kernel = .weighted(
                KernelDensity(
                    density.map { Float($0) },
                    isTrainable: fixture.parameters.contains { $0.name.hasSuffix(".den") }))
        }
        try result.validate()
        return result
    }

    /// KAIR's DnCNN and FDnCNN.
    static func kairDnCNN(_ fixture: Fixture) throws -> VerificationResult {
        try chain(fixture, try kairConfiguration(fixture))
    }

    static func kairConfiguration(_ fixture: Fixture) throws -> DnCNNConfiguration {
        let (inputs, outputs) = (try fixture.count("in_nc"), try fixture.count("out_nc"))
        let activation = fixture.config["act_mode"]?.string ?? "R"
        var result = DnCNNConfiguration(
            imageChannels: outputs, depth: try fixture.count("nb", in: 2...1000),
            width: try fixture.count("nc"),
            hasBatchNorm: activation.contains("B"))
        switch activation.last {
        case "R": result.activation = .relu
        case "L": result.activation = .leakyRelu
        default: throw UnsupportedFixture("\(fixture.name): act_mode \(activation) is not known")
        }
        if let epsilon = fixture.config["bn_eps"]?.number { result.batchNormEpsilon = Float(epsilon) }
        result.batchNormMomentum = fixture.config["bn_momentum"]?.number.map { Float($0) }
        guard inputs == outputs || inputs == outputs + 1 else {
            throw UnsupportedFixture("\(fixture.name): \(inputs) channels in, \(outputs) out")
        }
        result.takesNoiseLevel = inputs == outputs + 1
        result.isResidual = !result.takesNoiseLevel
        try result.validate()
        return result
    }

    private static func chain(_ fixture: Fixture, _ configuration: DnCNNConfiguration) throws
        -> VerificationResult
    {
        let store = ParameterStore(.loaded(fixture.parameterTensors), isTracked: true)
        let model = DnCNN(store.scope, configuration)
        try store.validate()
        let x = try fixture.imageTensor("x", channels: configuration.inputChannels).variable
        let y = model(x, isTraining: isTraining(fixture))

        // Biases before a normalisation over the batch have no gradient but rounding noise, and the noise recorded
        // for the gradients is then theirs.
        let silent =
            configuration.hasBatchNorm && configuration.dialect == .kair && isTraining(fixture)
            ? (1..<configuration.depth - 1).map { "model.\(3 * $0 - 1)" } : []
        var check = check(fixture, gradientNoise: silent.isEmpty ? nil : 1e-6)
        try check.output("y", y)
        for (name, buffer) in store.buffers where fixture.file["output.buffer." + name] != nil {
            try check.output("buffer." + name, buffer)
        }
        try fixture.checkCotangent("y", of: y)
        try check.backward(y, "y", inputs: [("x", x)])
        try check.parameters(store)
        try silent.forEach { try rescale(&check.result, bias: $0, fixture) }
        return check.result
    }

    /// Judges a bias gradient that should be zero on the scale of its weight's gradient.
    private static func rescale(_ result: inout VerificationResult, bias layer: String, _ fixture: Fixture)
        throws
    {
        let name = try fixture.parameterGradient(layer + ".bias").name
        func meanSquare(_ key: String) throws -> Double {
            let values = try fixture.parameterGradient(key).doubles
            return values.reduce(0) { $0 + $1 * $1 } / Double(max(1, values.count))
        }
        let own = try meanSquare(layer + ".bias").squareRoot()
        let scale = try meanSquare(layer + ".weight").squareRoot()
        for (index, item) in result.gradients.enumerated() where item.comparison.name == name {
            let difference = item.comparison.error * (own > 0 ? own : 1) / max(scale, 1e-30)
            result.gradients[index].comparison = Comparison(
                name: name, [difference], shape: [1], expected: [0], shape: [1])
        }
    }

    /// KAIR's `merge_bn`: the merged parameters keep the index of their convolution.
    static func mergedNorms(_ fixture: Fixture) throws -> VerificationResult {
        let configuration = try kairConfiguration(fixture)
        let (folded, parameters) = try configuration.folded(fixture.parameterTensors)
        var check = check(fixture)
        for layer in 0..<configuration.depth {
            let index = configuration.hasBatchNorm ? max(0, 3 * layer - 1) : 2 * layer
            for leaf in ["weight", "bias"] {
                guard let tensor = parameters["model.\(2 * layer).\(leaf)"] else { continue }
                check.result.addOutput(
                    Comparison(
                        name: "merged.model.\(index).\(leaf)", tensor,
                        expected: try fixture.output("merged.model.\(index).\(leaf)")),
                    within: check.outputTolerance)
            }
        }
        let x = try fixture.imageTensor("x", channels: configuration.inputChannels)
        let original = ParameterStore(.loaded(fixture.parameterTensors), isTracked: false)
        try check.output("y", DnCNN(original.scope, configuration)(x))
        let store = ParameterStore(.loaded(parameters), isTracked: false)
        let merged = DnCNN(store.scope, folded)
        try store.validate()
        try check.output("y_merged", merged(x))
        return check.result
    }

    static func ffdnet(_ fixture: Fixture) throws -> VerificationResult {
        let store = ParameterStore(.loaded(fixture.parameterTensors), isTracked: true)
        var configuration = FFDNet.Configuration(
            imageChannels: try fixture.count("in_nc"), depth: try fixture.count("nb", in: 2...1000),
            width: try fixture.count("nc"))
        if fixture.config["act_mode"]?.string == "L" { configuration.activation = .leakyRelu }
        let model = FFDNet(store.scope, configuration)
        try store.validate()
        let x = try fixture.imageTensor("x", channels: configuration.imageChannels).variable
        let sigma = try fixture.imageTensor("sigma", channels: 1).variable
        guard sigma.shape == [x.shape[0], 1, 1, 1] else {
            throw fixture.problem("input.sigma holds \(sigma.shape) for images \(x.shape)")
        }
        let level = sigma.reshaped([sigma.shape[0], 1])
        let y = model.restore(x, RestorationCondition(noiseLevel: level), isTraining: false)
        var check = check(fixture)
        try check.compare(y, "y", inputs: [("x", x), ("sigma", sigma)])
        try check.parameters(store)
        return check.result
    }

    static func drunet(_ fixture: Fixture) throws -> VerificationResult {
        let store = ParameterStore(.loaded(fixture.parameterTensors), isTracked: true)
        let widths = try fixture.integers("nc")
        guard widths.count == 4, widths.allSatisfy((1...4096).contains) else {
            throw UnsupportedFixture("\(fixture.name): DRUNet has four widths of 1 to 4096, not \(widths)")
        }
        var configuration = DRUNet.Configuration(
            imageChannels: try fixture.count("out_nc"), widths: widths,
            blockCount: try fixture.count("nb", in: 1...1000))
        configuration.hasBiases = fixture.config["bias"]?.bool ?? false
        let model = DRUNet(store.scope, configuration)
        try store.validate()
        let x = try fixture.imageTensor("x", channels: model.imageChannels + 1).variable
        guard x.shape[1] % 8 == 0, x.shape[2] % 8 == 0 else {
            throw fixture.problem("input.x is \(x.shape), DRUNet needs multiples of 8")
        }
        let y = model(x)
        var check = check(fixture)
        try check.compare(y, "y", inputs: [("x", x)])
        try check.parameters(store)
        return check.result
    }
}
