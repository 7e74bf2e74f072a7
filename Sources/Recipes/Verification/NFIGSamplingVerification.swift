import Autoregression
import Backbones
import Checkpoints
import Layers
import Tensors

/// Discrete sampling runs with their recorded draws, filters, and the learning-rate schedule.
extension NFIGVerification {
    @Sendable static func verifyFilter(_ check: inout NFIGCheck) throws {
        for (index, item) in (check.config["items"]?.array ?? []).enumerated() {
            guard let topK = item[0]?.integer, let topP = item[1]?.number else {
                throw UnsupportedFixture("item \(index) is no [top_k, top_p, codes]")
            }
            let logits = try check.fixture.input("logits\(index)")
            let width = logits.shape.last ?? 1
            try check.require(width > 0, "\(logits.name) is empty")
            let filter = TokenFilter(topK: topK, topP: topP)
            let values = logits.floats
            let kept = stride(from: 0, to: values.count, by: width).flatMap { start in
                filter(Array(values[start..<start + width])).map { $0.isFinite ? 1 : 0 }
            }
            try check.output("kept\(index)", kept)
        }
    }

    @Sendable static func verifySampling(_ check: inout NFIGCheck) throws {
        let fixture = check.fixture
        let configuration = try transformer(check)
        let store = ParameterStore(
            .loaded(
                try VARCheckpoint.parameters(
                    of: fixture.parameterTensors, configuration, name: fixture.name)), isTracked: false)
        let model = VAR(store.scope, configuration)
        try store.validate()
        guard let quantizer = try quantizer(check, configuration) else {
            throw UnsupportedFixture("\(fixture.name) holds no tokenizer (vae.quantize.*)")
        }
        let settings = CategoricalSampling(
            guidance: LevelGuidance(strength: try fixture.number("cfg")),
            filter: TokenFilter(topK: try fixture.integer("top_k"), topP: try fixture.number("top_p")),
            isSmooth: try fixture.bool("more_smooth"))
        let labels = try labels(check, count: try fixture.integer("B"))
        let session = CategoricalSession(
            model, quantizer: quantizer, labels: labels, settings: settings,
            randomness: try RecordedDraws(check, configuration, images: labels.count))
        for level in configuration.grids.indices {
            session.draw()
            guard let trace = session.trace else { continue }
            let name = "step\(level)."
            try check.output(name + "cfg_logits", trace.logits)
            if check.hasOutput(name + "filtered") { try check.output(name + "filtered", trace.filtered) }
            try check.output(name + "idx", trace.indices)
            try check.output(name + "f_hat", images: trace.accumulated)
            if let next = trace.next, check.hasOutput(name + "next_map") {
                try check.output(name + "next_map", images: next)
            }
        }
    }

    @Sendable static func verifyLearningRate(_ check: inout NFIGCheck) throws {
        let peak = try check.fixture.number("peak_lr")
        for (index, item) in (check.config["items"]?.array ?? []).enumerated() {
            guard let name = item[0]?.string, let schedule = AnnealingShape(name: name),
                let warmup = item[1]?.number, let total = item[2]?.integer, total > 1,
                let start = item[3]?.number, let end = item[4]?.number, let decay = item[5]?.number,
                let finalDecay = item[6]?.number
            else { throw UnsupportedFixture("item \(index) describes no schedule that is known") }
            let annealing = LevelAnnealing(
                shape: schedule, warmupSteps: Int(warmup.rounded(.toNearestOrEven)), stepCount: total,
                start: start, end: end,
                weightDecay: decay, finalWeightDecay: finalDecay)
            try check.output("lr\(index)", (0..<total).map { peak * annealing.rate(at: $0) })
            try check.output("wd\(index)", (0..<total).map { annealing.weightDecay(at: $0) })
        }
    }
}

/// The draws that a case recorded: `input.uniform<level>`, `input.gumbel<level>`. A run that took the best
/// code needs none.
private struct RecordedDraws: TokenRandomness {
    private var stored: [[Double]] = []
    private var noise: [[Float]] = []

    init(_ check: NFIGCheck, _ configuration: VARConfiguration, images: Int) throws {
        for (level, grid) in configuration.grids.enumerated() {
            let count = images * grid.count
            let draws =
                check.fixture.file["input.uniform\(level)"]?.doubles ?? Array(repeating: 0, count: count)
            try check.require(draws.count == count, "input.uniform\(level) has not \(count) draws")
            stored.append(draws)
            let gumbels = check.fixture.file["input.gumbel\(level)"]?.floats ?? []
            let needed =
                try check.fixture.bool("more_smooth") ? count * configuration.vocabulary : gumbels.count
            try check.require(gumbels.count == needed, "input.gumbel\(level) has not \(needed) draws")
            noise.append(gumbels)
        }
    }

    func uniforms(level: Int, images: Int, positions: Int) -> [Double] { stored[level] }
    func gumbels(level: Int, images: Int, positions: Int, codes: Int) -> [Float] { noise[level] }
}
