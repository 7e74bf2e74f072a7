import Backbones
import Checkpoints
import Diffusion
import Layers
import Tensors
import Training

// Cases that use the network in a process: guided predictions and training traces.
extension DiCoVerification {
    /// `forward_with_cfg`: only the first half of the rows is used, the first channels are guided, the others pass.
    static func verifyGuided(_ fixture: Fixture) throws -> VerificationResult {
        let configuration = try DiCoConfiguration(fixture)
        let store = ParameterStore(.loaded(fixture.parameterTensors), isTracked: false)
        let model = DiCo(store.scope, configuration)
        try store.validate()
        let count = try fixture.integer("n")
        let x = try fixture.input("x").channelsLastTensor
        let time = try fixture.input("t").floats
        let labels = configuration.labels(try fixture.input("y").integers)

        var check = GradientCheck(fixture)
        let half = x.samples(0..<count)
        let both = model.predict(.concatenateSamples([half, half]), time: time, labels: labels)
        if fixture.file["output.plain"] != nil { try check.output("plain", both) }
        let (main, reference) = (Latent(both.samples(0..<count)), Latent(both.samples(count..<2 * count)))
        let guided = try fixture.integer("guided_channels")
        for output in fixture.outputs where output.name.hasPrefix("cfg_") {
            guard let scale = Double(output.name.dropFirst("cfg_".count)) else { continue }
            let guidance = Guidance(scale: scale, channels: guided)
            let first = guidance.combine(
                main: main, reference: reference, dataChannels: configuration.inputChannels)
            // The reference writes the guided channels into both halves; the rest of each half is its own.
            var second = reference
            let all = second.shape.channels
            for index in second.values.indices where index % all < min(guided, configuration.inputChannels) {
                second.values[index] = first.values[index]
            }
            try check.output(output.name, .concatenateSamples([first.tensor, second.tensor]))
        }
        return check.result
    }

    private static func schedule(_ name: String) throws -> BetaSchedule {
        switch name {
        case "linear": return .linear
        case "squaredcos_cap_v2": return .cosine
        default: throw UnsupportedFixture("noise schedule \(name)")
        }
    }

    /// A few recorded steps of the published training loop: losses, then final weights and averages.
    static func verifyTraining(_ fixture: Fixture) throws -> VerificationResult {
        let configuration = try DiCoConfiguration(fixture)
        let store = ParameterStore(.loaded(fixture.parameterTensors.mapValues(\.copied)), isTracked: true)
        let model = DiCo(store.scope, configuration)
        try store.validate()
        let steps = try fixture.integer("steps")
        var settings = OptimizerSettings()
        settings.learningRate = try fixture.number("lr")
        settings.epsilon = try fixture.number("eps")
        settings.weightDecay = try fixture.number("weight_decay")
        settings.average.decay = try fixture.number("ema_decay")
        if let betas = fixture.config["betas"]?.numbers, betas.count == 2 {
            (settings.beta1, settings.beta2) = (betas[0], betas[1])
        }
        let diffusion = fixture.config["diffusion"]
        let process = GaussianProcess(
            try schedule(diffusion?["noise_schedule"]?.string ?? "linear"),
            stepCount: diffusion?["steps"]?.integer ?? 1000)
        let objective = HybridObjective(process: process)
        let trainer = Trainer(store, settings: settings, totalSteps: steps)

        var losses: [String: [Double]] = ["loss_per_sample": [], "mse": [], "vb": [], "grad_norm": []]
        for step in 0..<steps {
            let report = try trainer.step { _ in
                let clean = try fixture.input("x_start").row(step).channelsLastTensor
                let example = objective.example(
                    clean: clean, noise: try fixture.input("noise").row(step).channelsLastTensor,
                    steps: try fixture.input("t").row(step).integers)
                let dropped = try fixture.file["input.drop_mask"]?.row(step).integers
                let labels = try fixture.input("y").row(step).integers.enumerated().map {
                    dropped?[$0.offset] == 1 ? nil : Optional($0.element)
                }
                let output = model.predict(example.input, time: example.time, labels: labels)
                let loss = objective.evaluate(output: output.detached, example: example)
                losses["loss_per_sample"]? += loss.losses
                for (name, values) in loss.parts { losses[name]? += values }
                return (
                    BatchEvaluation(
                        loss: loss.mean, parts: [:], gradients: output.gradients(cotangent: loss.gradient)),
                    clean.shape[0]
                )
            }
            losses["grad_norm"]?.append(report.gradientNorm)
        }

        var result = VerificationResult()
        for (name, values) in losses.sorted(by: { $0.key < $1.key }) {
            guard let expected = fixture.file["output." + name] else { continue }
            result.addOutput(
                Comparison(
                    name: name, values, shape: expected.shape, expected: expected.doubles,
                    shape: expected.shape),
                within: name == "grad_norm" ? gradientTolerance : outputTolerance)
        }
        for (prefix, tensors) in [
            ("final_param.", Dictionary(uniqueKeysWithValues: store.all.map { ($0.name, $0.tensor) })),
            ("final_ema.", trainer.optimizer.averagedParameters),
        ] {
            for expected in fixture.outputs where expected.name.hasPrefix(prefix) {
                guard let tensor = tensors[String(expected.name.dropFirst(prefix.count))] else { continue }
                // Adam's update has the size of the learning rate whatever the gradient's: that is the unit here.
                let difference = zip(tensor.scalars, expected.floats).map { abs(Double($0 - $1)) }.max() ?? 0
                result.addOutput(
                    Comparison(
                        name: expected.name, [difference / settings.learningRate], shape: [1], expected: [0],
                        shape: [1]),
                    within: 0.2)
            }
        }
        return result
    }
}

extension StoredTensor {
    /// Entry `index` of the first axis.
    func row(_ index: Int) throws -> StoredTensor {
        let size = elementCount / max(1, shape.first ?? 1)
        let rest = Array(shape.dropFirst())
        switch type {
        case .float32:
            return StoredTensor(
                name: name, shape: rest, floats: Array(floats[index * size..<(index + 1) * size]))
        default:
            return StoredTensor(
                name: name, shape: rest, integers: Array(integers[index * size..<(index + 1) * size]))
        }
    }
}
