import Checkpoints
import Denoising
import Layers
import Tensors

/// The extents of a convolution layer alone, as its case's configuration has them.
private struct LayerGeometry {
    let inputs: Int
    let outputs: Int
    let kernel: Int
    let stride: Int
    let padding: Int
    let dilation: Int
    let groups: Int

    init(_ fixture: Fixture) throws {
        inputs = try fixture.count("in_channels")
        outputs = try fixture.count("out_channels")
        kernel = try fixture.count("kernel_size", in: 1...99)
        stride = try fixture.count("stride", default: 1, in: 1...99)
        padding = try fixture.count("padding", in: 0...999)
        dilation = try fixture.count("dilation", default: 1, in: 1...99)
        groups = try fixture.count("groups", default: 1)
        guard inputs % groups == 0, outputs % groups == 0 else {
            throw fixture.problem("\(inputs) and \(outputs) channels do not divide into \(groups) groups")
        }
    }

    func image(_ fixture: Fixture) throws -> Tensor {
        let x = try fixture.imageTensor("x", channels: inputs)
        try check(fixture, x)
        return x
    }

    /// Fails unless the input has the channels and room for the kernel in every direction.
    func check(_ fixture: Fixture, _ x: Tensor) throws {
        let reach = dilation * (kernel - 1) + 1
        let fits = x.shape.extents.dropFirst().dropLast().allSatisfy { $0 + 2 * padding >= reach }
        guard x.elementCount > 0, x.shape.channels == inputs, fits else {
            throw fixture.problem(
                "input.x is \(x.shape) with channels last, the layer has \(inputs) inputs and \(kernel) taps")
        }
    }
}

// Weighted and tunable convolutions alone, and losses.
extension DenoiseVerification {
    /// One, two or three spatial axes, told by the weight's rank.
    static func weightedConvolution(_ fixture: Fixture) throws -> VerificationResult {
        let density = KernelDensity(
            (fixture.config["den"]?.numbers ?? []).map { Float($0) },
            isTrainable: fixture.file["param.den"] != nil)
        let size = try fixture.count("kernel_size", in: 1...99)
        guard density.kernelSize == size else {
            throw UnsupportedFixture(
                "\(fixture.name): \(density.coefficients.count) densities for \(size) taps")
        }
        let store = ParameterStore(.loaded(fixture.parameterTensors), isTracked: true)
        let geometry = try LayerGeometry(fixture)
        let (inputs, outputs) = (geometry.inputs, geometry.outputs)
        let hasBias = try fixture.bool("bias")
        let padding = geometry.padding
        let axes = try fixture.parameter("weight").shape.count
        guard try fixture.input("x").shape.count == axes else {
            throw fixture.problem("its input and its weight have different axes")
        }
        switch axes {
        case 3:
            let layer = WeightedConvolution1D(
                store.scope, inputs, outputs, density: density, padding: padding, hasBias: hasBias)
            return try compare(fixture, store, check: geometry.check) { x in layer(x) }
        case 5:
            let layer = WeightedConvolution3D(
                store.scope, inputs, outputs, density: density, padding: padding, hasBias: hasBias)
            return try compare(fixture, store, check: geometry.check) { x in layer(x) }
        default:
            let layer = Convolution(
                store.scope, inputs, outputs, kernel: size, stride: geometry.stride, padding: padding,
                dilation: geometry.dilation, groups: geometry.groups, hasBias: hasBias,
                form: .weighted(density))
            return try compare(fixture, store, check: geometry.check) { x in layer(x) }
        }
    }

    static func mixing(_ fixture: Fixture) throws -> KernelMixing {
        let name = fixture.config["mode"]?.string ?? "mlp"
        let expansion = fixture.config["expand_params"]?.integer ?? 1
        guard let rule = KernelMixing.Rule(rawValue: name), (1...256).contains(expansion),
            rule == .mlp || expansion == 1
        else {
            throw UnsupportedFixture("\(fixture.name): mixing \(name) with expansion \(expansion)")
        }
        return KernelMixing(
            parameterCount: try fixture.count("num_params", in: 1...256), expansion: expansion, rule: rule)
    }

    static func tunableConvolution(_ fixture: Fixture) throws -> VerificationResult {
        let store = ParameterStore(.loaded(fixture.parameterTensors), isTracked: true)
        let (geometry, mixing) = (try LayerGeometry(fixture), try mixing(fixture))
        let layer = Convolution(
            store.scope, geometry.inputs, geometry.outputs, kernel: geometry.kernel, stride: geometry.stride,
            padding: geometry.padding, dilation: geometry.dilation, groups: geometry.groups,
            hasBias: try fixture.bool("bias"), form: .tunable(mixing))
        try store.validate()
        let x = try geometry.image(fixture).variable
        let tuning = try fixture.tuning("params", samples: x.shape[0], count: mixing.parameterCount).variable
        let y = layer(x, tuning: tuning)
        var check = check(fixture)
        try check.compare(y, "y", inputs: [("x", x), ("params", tuning)])
        try check.parameters(store)
        return check.result
    }

    static func tunableParameter(_ fixture: Fixture) throws -> VerificationResult {
        let store = ParameterStore(.loaded(fixture.parameterTensors), isTracked: true)
        let shape = try fixture.integers("shape")
        guard !shape.isEmpty, shape.allSatisfy((1...4096).contains) else {
            throw fixture.problem("its config's shape is \(shape)")
        }
        let mixing = try mixing(fixture)
        let parameter = TunableParameter(
            store.scope, channels: shape.first ?? 1, trailing: Array(shape.dropFirst()),
            mixing: mixing, .zeros)
        try store.validate()
        let count = try fixture.input("params").shape.first ?? 0
        let tuning = try fixture.tuning("params", samples: count, count: mixing.parameterCount).variable
        // The file's [N, C, 1, 1] has the channels last here.
        let y = parameter(tuning).reshaped(Shape([count] + shape.dropFirst() + shape.prefix(1)))
        var check = check(fixture)
        try check.compare(y, "y", inputs: [("params", tuning)])
        try check.parameters(store)
        return check.result
    }

    static func psnrLoss(_ fixture: Fixture) throws -> VerificationResult {
        let loss: RestorationLoss = try fixture.bool("toY") ? .psnrLuma : .psnr
        let weight = Float(fixture.config["loss_weight"]?.number ?? 1)
        let channels = loss == .psnrLuma ? 3 : nil
        let prediction = try fixture.imageTensor("pred", channels: channels).variable
        let target = try fixture.imageTensor("target", channels: channels).variable
        guard prediction.shape == target.shape else {
            throw fixture.problem("pred is \(prediction.shape), target \(target.shape)")
        }
        let value = (loss(prediction, target) * weight).reshaped([1])
        var check = check(fixture)
        try check.compare(value, "loss", inputs: [("pred", prediction), ("target", target)])
        return check.result
    }

    /// Two outputs with a cotangent each: the gradients are of both together.
    static func parametricLoss(_ fixture: Fixture) throws -> VerificationResult {
        let terms = try (fixture.config["losses"]?.strings ?? []).map { text -> ParametricLoss.Term in
            switch text {
            case "L1(pred,clean)": ParametricLoss.Term(.l1, to: .clean)
            case "L1(pred,noisy)": ParametricLoss.Term(.l1, to: .noisy)
            case "L2(pred,clean)": ParametricLoss.Term(.l2, to: .clean)
            case "L2(pred,noisy)": ParametricLoss.Term(.l2, to: .noisy)
            default: throw UnsupportedFixture("\(fixture.name): objective \(text) is not known")
            }
        }
        let prediction = try fixture.imageTensor("pred").variable
        let clean = try fixture.imageTensor("clean").variable
        let noisy = try fixture.imageTensor("noisy").variable
        guard prediction.shape == clean.shape, prediction.shape == noisy.shape, !terms.isEmpty else {
            throw fixture.problem("it needs objectives, and pred, clean and noisy of one shape")
        }
        let tuning = try fixture.tuning("params", samples: prediction.shape[0], count: terms.count).variable
        let values = ParametricLoss(terms).values(prediction, clean: clean, noisy: noisy)
        let loss = ParametricLoss.combined(values, tuning: tuning)
        var check = check(fixture)
        try check.output("terms", values)
        try check.output("loss", loss.reshaped([1]))
        guard let lossCotangent = fixture.file["cotangent.loss"] else { return check.result }
        try fixture.checkCotangent("loss", of: loss.reshaped([1]))
        try fixture.checkCotangent("terms", of: values)
        var total = loss * lossCotangent.tensor.item
        if let cotangent = fixture.file["cotangent.terms"] {
            total = total + (values * cotangent.tensor).sum()
        }
        let gradients = total.gradients()
        for (name, tensor) in [("pred", prediction), ("clean", clean), ("noisy", noisy), ("params", tuning)] {
            guard let expected = fixture.file["grad_input." + name] else { continue }
            check.result.addGradient(
                Comparison(
                    name: expected.name, channelsLast: gradients[tensor] ?? .zeros(tensor.shape),
                    expected: expected),
                within: check.gradientTolerance)
        }
        return check.result
    }
}
