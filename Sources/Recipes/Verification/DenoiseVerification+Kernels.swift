import Checkpoints
import Denoising
import Layers
import Tensors

// Weighted and tunable convolutions alone, and losses.
extension DenoiseVerification {
    /// One, two or three spatial axes, told by the weight's rank.
    static func weightedConvolution(_ fixture: Fixture) throws -> VerificationResult {
        let density = KernelDensity(
            (fixture.config["den"]?.numbers ?? []).map { Float($0) },
            isTrainable: fixture.file["param.den"] != nil)
        let size = try fixture.integer("kernel_size")
        guard density.kernelSize == size else {
            throw UnsupportedFixture(
                "\(fixture.name): \(density.coefficients.count) densities for \(size) taps")
        }
        let store = ParameterStore(.loaded(fixture.parameterTensors), isTracked: true)
        let (inputs, outputs) = (try fixture.integer("in_channels"), try fixture.integer("out_channels"))
        let hasBias = try fixture.bool("bias")
        let padding = try fixture.integer("padding")
        switch try fixture.parameter("weight").shape.count {
        case 3:
            let layer = WeightedConvolution1D(
                store.scope, inputs, outputs, density: density, padding: padding, hasBias: hasBias)
            return try compare(fixture, store) { x in layer(x) }
        case 5:
            let layer = WeightedConvolution3D(
                store.scope, inputs, outputs, density: density, padding: padding, hasBias: hasBias)
            return try compare(fixture, store) { x in layer(x) }
        default:
            let layer = Convolution(
                store.scope, inputs, outputs, kernel: size, stride: fixture.config["stride"]?.integer ?? 1,
                padding: padding, dilation: fixture.config["dilation"]?.integer ?? 1,
                groups: fixture.config["groups"]?.integer ?? 1, hasBias: hasBias, form: .weighted(density))
            return try compare(fixture, store) { x in layer(x) }
        }
    }

    static func mixing(_ fixture: Fixture) throws -> KernelMixing {
        let name = fixture.config["mode"]?.string ?? "mlp"
        let expansion = fixture.config["expand_params"]?.integer ?? 1
        guard let rule = KernelMixing.Rule(rawValue: name), rule == .mlp || expansion == 1 else {
            throw UnsupportedFixture("\(fixture.name): mixing \(name) with expansion \(expansion)")
        }
        return KernelMixing(
            parameterCount: try fixture.integer("num_params"), expansion: expansion, rule: rule)
    }

    static func tunableConvolution(_ fixture: Fixture) throws -> VerificationResult {
        let store = ParameterStore(.loaded(fixture.parameterTensors), isTracked: true)
        let layer = Convolution(
            store.scope, try fixture.integer("in_channels"), try fixture.integer("out_channels"),
            kernel: try fixture.integer("kernel_size"), stride: try fixture.integer("stride"),
            padding: try fixture.integer("padding"), dilation: fixture.config["dilation"]?.integer ?? 1,
            groups: try fixture.integer("groups"), hasBias: try fixture.bool("bias"),
            form: .tunable(try mixing(fixture)))
        try store.validate()
        let x = try fixture.input("x").channelsLastTensor.variable
        let tuning = try fixture.input("params").tensor.variable
        let y = layer(x, tuning: tuning)
        var check = check(fixture)
        try check.output("y", y)
        try check.backward(y, "y", inputs: [("x", x), ("params", tuning)])
        try check.parameters(store)
        return check.result
    }

    static func tunableParameter(_ fixture: Fixture) throws -> VerificationResult {
        let store = ParameterStore(.loaded(fixture.parameterTensors), isTracked: true)
        let shape = try fixture.integers("shape")
        let parameter = TunableParameter(
            store.scope, channels: shape.first ?? 1, trailing: Array(shape.dropFirst()),
            mixing: try mixing(fixture),
            .zeros)
        try store.validate()
        let tuning = try fixture.input("params").tensor.variable
        let count = tuning.shape[0]
        // The file's [N, C, 1, 1] has the channels last here.
        let y = parameter(tuning).reshaped(Shape([count] + shape.dropFirst() + shape.prefix(1)))
        var check = check(fixture)
        try check.output("y", y)
        try check.backward(y, "y", inputs: [("params", tuning)])
        try check.parameters(store)
        return check.result
    }

    static func psnrLoss(_ fixture: Fixture) throws -> VerificationResult {
        let loss: RestorationLoss = try fixture.bool("toY") ? .psnrLuma : .psnr
        let weight = Float(fixture.config["loss_weight"]?.number ?? 1)
        let prediction = try fixture.input("pred").channelsLastTensor.variable
        let target = try fixture.input("target").channelsLastTensor.variable
        let value = (loss(prediction, target) * weight).reshaped([1])
        var check = check(fixture)
        try check.output("loss", value)
        try check.backward(value, "loss", inputs: [("pred", prediction), ("target", target)])
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
        let prediction = try fixture.input("pred").channelsLastTensor.variable
        let clean = try fixture.input("clean").channelsLastTensor.variable
        let noisy = try fixture.input("noisy").channelsLastTensor.variable
        let tuning = try fixture.input("params").tensor.variable
        let values = ParametricLoss(terms).values(prediction, clean: clean, noisy: noisy)
        let loss = ParametricLoss.combined(values, tuning: tuning)
        var check = check(fixture)
        try check.output("terms", values)
        try check.output("loss", loss.reshaped([1]))
        guard let lossCotangent = fixture.file["cotangent.loss"] else { return check.result }
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
