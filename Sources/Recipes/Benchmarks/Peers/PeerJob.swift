import Backbones
import Checkpoints
import Layers
import Tensors
import Training

/// One thing that Sfumato and the scripts of `Benchmarks/peers` both compute and time.
public struct PeerJob: Sendable {
    enum Kind: String, Sendable {
        /// The trained network on a whole batch.
        case forward
        /// The same as a guided sampler asks for it: all samples at one time, each on a thread of its own.
        case sampling
        /// Mean squared error, backward pass, clipping, AdamW, average of the weights.
        case training
    }

    let network: PeerNetwork
    let kind: Kind
    /// Of the images `[N, H, W, C]` or tokens `[N, L, C]`.
    let shape: Shape

    public var name: String { "\(network.name)-\(kind.rawValue)" }

    /// Every job there is.
    /// - Throws: errors of finding and reading the model that ships with the project.
    public static func all() throws -> [PeerJob] {
        func job(_ network: PeerNetwork, _ kind: Kind, _ shape: Shape) -> PeerJob {
            PeerJob(network: network, kind: kind, shape: shape)
        }
        var jobs: [PeerJob] = []
        if let configuration = DiCoPreset.small.configuration {
            let network = PeerNetwork.dico("dico-s", configuration)
            jobs += [job(network, .forward, [16, 32, 32, 4]), job(network, .training, [8, 32, 32, 4])]
        }
        let shipped = try PeerNetwork.shippedModel()
        jobs += [
            job(shipped, .sampling, [32, 32, 32, 3]), job(shipped, .training, [64, 32, 32, 3]),
            job(.dncnn, .forward, [1, 256, 256, 1]), job(.dncnn, .training, [16, 40, 40, 1]),
        ]
        if let configuration = NAFNetConfiguration.presets["nafnet-sidd-32"] {
            let network = PeerNetwork.nafnet(configuration)
            jobs += [job(network, .forward, [1, 256, 256, 3]), job(network, .training, [4, 128, 128, 3])]
        }
        for side in [32, 64] {
            let network = PeerNetwork.linearAttention(side: side)
            let shape: Shape = [1, side * side, 768]
            jobs += [job(network, .forward, shape), job(network, .training, shape)]
        }
        return jobs + [job(.inception, .forward, [8, 299, 299, 3])]
    }

    var input: PeerNetwork.Input { network.input(shape, isGuided: kind == .sampling) }

    /// What training is to reach.
    var target: Tensor {
        let channels = network.outputChannels ?? shape.channels
        return RandomStream(seed: 6).normals(Shape(shape.extents.dropLast() + [channels]))
    }

    static var optimizer: OptimizerSettings {
        var settings = OptimizerSettings()
        (settings.weightDecay, settings.clipNorm) = (0.01, 1)
        return settings
    }
}

/// Some steps of a job's training.
struct PeerTraining {
    private let function: PeerNetwork.Function
    private let store: ParameterStore
    private let trainer: Trainer
    private let input: PeerNetwork.Input
    private let target: Tensor

    init?(_ job: PeerJob) throws {
        guard let training = job.network.training else { return nil }
        store = ParameterStore(.loaded(try job.network.parameters()), isTracked: true)
        function = training(store.scope)
        try store.validate()
        trainer = Trainer(store, settings: PeerJob.optimizer, totalSteps: 1_000_000)
        (input, target) = (job.input, job.target)
    }

    /// Mean squared error of the present weights and the gradients of all parameters.
    func evaluate() -> BatchEvaluation {
        let output = function(input)
        let difference = output.detached - target
        let count = Double(output.elementCount)
        return BatchEvaluation(
            loss: Tensor.dot(difference, difference) / count, parts: [:],
            gradients: output.gradients(cotangent: difference * Float(2 / count)))
    }

    /// Every parameter with a gradient, by name.
    func gradients() -> [(name: String, tensor: Tensor)] {
        let gradients = evaluate().gradients
        return store.all.compactMap { parameter in
            gradients[parameter.tensor].map { (parameter.name, $0) }
        }
    }

    /// One update.
    /// - Returns: the loss before it.
    @discardableResult func step() throws -> Double {
        try trainer.step { _ in (evaluate(), target.shape[0]) }.loss
    }
}

/// What a job took on this side.
public struct PeerTiming: Sendable {
    public let name: String
    /// Median of one run.
    public let milliseconds: Double
    /// The most memory the process ever had, code and libraries included; nil where the system does not tell.
    public let peakMegabytes: Double?

    public var json: JSONValue {
        [
            "job": .string(name), "milliseconds": .number(milliseconds),
            "peakMegabytes": peakMegabytes.map(JSONValue.number) ?? .null,
        ]
    }

    /// Times of several jobs; only the first one's memory is its own, as a process never has less than it had.
    public static func text(_ timings: [PeerTiming]) -> String {
        var table = TextTable(["job, \(ComputeThreads.count) threads, float32", "ms", "peak MB so far"])
        for timing in timings {
            table.add([
                timing.name, TextTable.fixed(timing.milliseconds, digits: 2),
                timing.peakMegabytes.map { TextTable.fixed($0, digits: 0) } ?? "",
            ])
        }
        return table.text
    }
}

extension PeerJob {
    /// Times the job in this process.
    /// - Throws: errors of the network's weights, `NonFiniteError` of training.
    public func time() throws -> PeerTiming {
        let work = try makeWork()
        let seconds = Timing.median(try Timing.measure(work))
        return PeerTiming(
            name: name, milliseconds: 1000 * seconds, peakMegabytes: ProcessMemory.peakMegabytes)
    }

    private func makeWork() throws -> () throws -> Void {
        if kind == .training {
            guard let training = try PeerTraining(self) else {
                preconditionFailure("\(name): \(network.name) is never trained")
            }
            return { try training.step() }
        }
        let function = try network.inference(network.parameters(), kind == .sampling)
        let input = input
        return { _ = function(input) }
    }
}
