import Backbones
import Checkpoints
import Denoising
import Foundation
import Layers
import Tensors

// Recorded training steps: losses, then the final parameters and buffers.
extension DenoiseVerification {
    static func dncnnTrace(_ fixture: Fixture) throws -> VerificationResult {
        let store = ParameterStore(.loaded(fixture.parameterTensors), isTracked: true)
        let model = DnCNN(store.scope, try pyTorchConfiguration(fixture))
        try store.validate()
        let rate = try fixture.number("lr")
        var trace = Trace(store, betas: fixture.config["betas"]?.numbers, fixture)
        for step in 0..<(try fixture.input("clean").shape.first ?? 0) {
            let (noisy, clean) = try trace.batch(step, channels: model.imageChannels)
            let loss = RestorationLoss.halfSquaredSum(model(noisy, isTraining: true), clean)
            trace.update(loss) { _ in (rate, 0) }
        }
        return try trace.result()
    }

    /// The published NAFNet recipe: PSNR loss, global norm clipped, cosine schedule in which step t uses the rate of
    /// t − 1.
    static func nafnetTrace(_ fixture: Fixture) throws -> VerificationResult {
        let store = ParameterStore(.loaded(fixture.parameterTensors), isTracked: true)
        let model = NAFNet(store.scope, try nafnetConfiguration(fixture))
        try store.validate()
        let rate = try fixture.number("lr")
        let decay = try fixture.number("weight_decay")
        let scheduler = fixture.config["scheduler"]
        let length = scheduler?["T_max"]?.number ?? 1
        let floor = scheduler?["eta_min"]?.number ?? 0
        var trace = Trace(store, betas: fixture.config["betas"]?.numbers, fixture)
        trace.clipNorm = fixture.config["clip_grad_norm"]?.number
        for step in 0..<(try fixture.input("clean").shape.first ?? 0) {
            let (noisy, clean) = try trace.batch(step, channels: model.imageChannels)
            let loss = RestorationLoss.psnr(model(noisy, isTraining: true), clean)
            let now = cosine(Double(step), of: length, from: rate, to: floor)
            trace.record("lrs", now)
            trace.update(loss) { _ in (now, decay) }
        }
        return try trace.result()
    }

    /// The recipe published with weighted convolution: two AdamW, the density's with a higher rate and restarts.
    static func weightedTrace(_ fixture: Fixture) throws -> VerificationResult {
        let store = ParameterStore(.loaded(fixture.parameterTensors), isTracked: true)
        let model = DnCNN(store.scope, try pyTorchConfiguration(fixture))
        try store.validate()
        let first = fixture.config["T0"]?.number ?? 10
        let growth = fixture.config["T_mult"]?.number ?? 2
        guard first > 0, growth >= 1 else {
            throw fixture.problem("its restarts have lengths \(first) times \(growth)")
        }
        var trace = Trace(store, betas: nil, fixture)
        for step in 0..<(try fixture.input("clean").shape.first ?? 0) {
            let (noisy, clean) = try trace.batch(step, channels: model.imageChannels)
            let loss = RestorationLoss.l2(model(noisy, isTraining: true), clean)
            let weights = cosine(Double(step), of: 100, from: 1e-4, to: 1e-6)
            var (position, length) = (Double(step), first)
            while position >= length { (position, length) = (position - length, length * growth) }
            let densities = cosine(position, of: length, from: 1e-2, to: 0)
            trace.record("lr_weight", weights)
            trace.record("lr_den", densities)
            trace.update(loss) { $0.hasSuffix("den") ? (densities, 1e-2) : (weights, 1e-2) }
        }
        return try trace.result()
    }

    private static func cosine(_ position: Double, of length: Double, from high: Double, to low: Double)
        -> Double
    {
        low + (high - low) * (1 + cos(.pi * position / length)) / 2
    }
}

/// AdamW on the parameters of a case, and what it went through.
private struct Trace {
    let store: ParameterStore
    let fixture: Fixture
    let betas: (Float, Float)
    var clipNorm: Double?
    private var moments: [(first: Tensor, second: Tensor)]
    private var recorded: [String: [Double]] = [:]
    private var step = 0

    init(_ store: ParameterStore, betas: [Double]?, _ fixture: Fixture) {
        self.store = store
        self.fixture = fixture
        self.betas = betas.flatMap { $0.count == 2 ? (Float($0[0]), Float($0[1])) : nil } ?? (0.9, 0.999)
        moments = store.all.map { (.zeros($0.tensor.shape), .zeros($0.tensor.shape)) }
    }

    /// The images of a step, each `[N, C, H, W]` in the file.
    func batch(_ step: Int, channels: Int) throws -> (noisy: Tensor, clean: Tensor) {
        let (noisy, clean) = (try fixture.input("noisy"), try fixture.input("clean"))
        guard clean.shape.count == 5, clean.shape == noisy.shape, clean.shape[2] == channels,
            clean.elementCount > 0
        else {
            throw fixture.problem(
                "its batches are \(noisy.shape) and \(clean.shape), need [steps, N, \(channels), H, W]")
        }
        return (
            try noisy.row(step).channelsLastTensor,
            try clean.row(step).channelsLastTensor
        )
    }

    mutating func record(_ name: String, _ value: Double) { recorded[name, default: []].append(value) }

    /// One update. `settings`: learning rate and weight decay by parameter name.
    mutating func update(_ loss: Tensor, _ settings: (String) -> (rate: Double, decay: Double)) {
        step += 1
        record("losses", Double(loss.item))
        let gradients = loss.gradients()
        let all = store.all.map { gradients[$0.tensor] ?? .zeros($0.tensor.shape) }
        let norm = all.reduce(0) { $0 + Tensor.dot($1, $1) }.squareRoot()
        record("grad_norms", norm)
        // PyTorch divides by the norm plus 1e-6.
        let scale = clipNorm.map { min(1, $0 / (norm + 1e-6)) } ?? 1
        for (index, parameter) in store.all.enumerated() {
            let (rate, decay) = settings(parameter.name)
            Tensor.updateAdamW(
                parameter.tensor, gradient: all[index], first: moments[index].first,
                second: moments[index].second, average: nil,
                AdamWStep(
                    learningRate: Float(rate), beta1: betas.0, beta2: betas.1, weightDecay: Float(decay),
                    step: step,
                    gradientScale: Float(scale)))
        }
    }

    /// Ten times what the original loses to single precision is as exact as the original.
    func result() throws -> VerificationResult {
        var result = VerificationResult()
        let noise = fixture.config["fp32_vs_fp64"]
        let lossNoise = noise?["max_abs_loss"]?.number ?? 1e-6
        let finalNoise = noise?["max_abs_final"]?.number ?? 2e-7
        for (name, values) in recorded.sorted(by: { $0.key < $1.key }) {
            guard let expected = fixture.file["output." + name] else { continue }
            let rms = (expected.doubles.reduce(0) { $0 + $1 * $1 } / Double(max(1, expected.elementCount)))
                .squareRoot()
            let tolerance =
                name == "losses"
                ? 10 * max(lossNoise, 1e-7 * rms) / max(rms, 1e-30) : name == "grad_norms" ? 1e-4 : 1e-6
            result.addOutput(
                Comparison(
                    name: name, values, shape: [values.count], expected: expected.doubles,
                    shape: expected.shape),
                within: tolerance)
        }
        for (name, tensor) in store.all + store.buffers {
            guard let expected = fixture.file["output.final." + name] else { continue }
            let difference = zip(tensor.scalars, expected.floats).map { abs(Double($0 - $1)) }.max() ?? 0
            result.addOutput(
                Comparison(name: expected.name, [difference], shape: [1], expected: [0], shape: [1]),
                within: 10 * finalNoise)
        }
        return result
    }
}
