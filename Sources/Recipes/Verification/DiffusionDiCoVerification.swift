import Backbones
import Checkpoints
import Diffusion
import Layers
import Tensors

/// A small DiCo in ADM's sampling loop (`traj_dico_*`).
///
/// The original carries [x; x] through the loop when it guides; only the first half's noise reaches the result.
func verifyDiCoTrajectory(_ check: inout DiffusionCheck) throws {
    try check.requireSampling(state: "x_T", isDoubled: true)
    let fixture = check.fixture
    let configuration = try DiCoConfiguration(fixture)
    let store = ParameterStore(.loaded(fixture.parameterTensors), isTracked: false)
    let multiple = configuration.sizeMultiple
    let shape = try fixture.input("x_T").shape
    try check.require(
        shape[1] == configuration.inputChannels && shape[2] % multiple == 0 && shape[3] % multiple == 0,
        "input.x_T is \(shape), the network takes \(configuration.inputChannels) channels and sizes in multiples of \(multiple)"
    )
    let numbers = try fixture.input("y").integers
    try check.require(
        numbers.allSatisfy { (0...configuration.classCount).contains($0) },
        "input.y has a label outside 0…\(configuration.classCount)")
    let network = DiCo(store.scope, configuration)
    try store.validate()

    let process = try check.process()
    let start = try check.latent("x_T")
    let scale = try fixture.number("cfg_scale")
    let model = GuidedModel(
        NetworkModel(network, prediction: .noise), prediction: .noise,
        labels: configuration.labels(numbers),
        guidance: scale > 1 ? Guidance(scale: scale, channels: 3) : nil,
        clipping: try fixture.bool("clip_denoised") ? .clamp(1) : .none)
    let draws = try check.latents("step_noise").map { $0.samples(in: 0..<start.sampleCount) }
    let run = RecordedRun(
        SamplingRun(
            model,
            solver: try admSolver(check, process, configuration.learnSigma ? .learnedRange : .fixedLarge),
            grid: process.samplingGrid, path: DiscreteSchedule(process), noise: RecordedNoise(draws: draws),
            start: start))
    try check.compare("timesteps", process.timesteps.reversed().map(Double.init))
    try check.compareIfPresent("trajectory", run.states)
    try check.compare("x", run.finished)
}
