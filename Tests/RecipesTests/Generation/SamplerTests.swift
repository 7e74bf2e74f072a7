import Diffusion
import Layers
import Recipes
import Tensors
import Testing

@Suite struct SamplerTests {
    static let objectives = [
        "{kind: ddpm}", "{kind: ddpm, variance: fixedSmall, prediction: clean}", "{kind: velocity}",
        "{kind: velocity, zeroTerminalSNR: true}", "{kind: flow}", "{kind: flow, shift: 3}", "{kind: edm}",
    ]
    static let solvers = SamplerSettings.SolverKind.allCases

    /// What cannot be joined, by meaning.
    static func refuses(_ solver: SamplerSettings.SolverKind, _ objective: String) -> Bool {
        let isDiscrete = objective.contains("ddpm") || objective.contains("velocity")
        return solver == .ddpm && !isDiscrete || solver == .rk4 && !objective.contains("flow")
    }

    @Test(arguments: solvers, objectives)
    func `every solver makes finite images of every objective, or says that it cannot`(
        _ solver: SamplerSettings.SolverKind, _ objective: String
    ) throws {
        let model = try TinyModel.make(objective: objective)
        let recipe = try SamplingRecipe(
            json: "{solver: \(solver.rawValue), steps: 4, clip: clamp, guidance: {scale: 1.5, rescale: 0.5}}",
            name: "recipe")
        guard !Self.refuses(solver, objective) else {
            #expect(throws: GenerationError.self) {
                try GenerationPlan(model: model, recipe: recipe, seeds: [1])
            }
            return
        }
        let plan = try GenerationPlan(model: model, recipe: recipe, seeds: [1, 2, 3])
        #expect(plan.stepCount == 4)
        var images: Tensor?
        Generator(plan).run { event in
            if case .finished(_, let samples) = event { images = samples }
            return true
        }
        let samples = try #require(images)
        #expect(samples.shape == [3, 8, 8, 3])
        #expect(samples.scalars.allSatisfy { $0.isFinite && abs($0) < 4 })
    }

    @Test(arguments: [
        ("karras", "ddpm"), ("exponential", "ddpm"), ("beta", "velocity"), ("karras", "flow"),
        ("karras", "edm"),
        ("{kind: timesteps, spacing: trailing}", "velocity"), ("{kind: timesteps, spacing: leading}", "ddpm"),
        ("{kind: timesteps, spacing: linspace}", "ddpm"), ("{kind: flow, shift: 2}", "flow"),
        ("{kind: karras, sigmaMin: 0.1, sigmaMax: 10}", "edm"),
    ])
    func `levels fall from noise to an image`(_ schedule: String, _ objective: String) throws {
        let settings = try SamplerSettings(
            json: "{solver: dpmSolver, steps: 6, schedule: \(schedule)}", name: "sampler")
        let objective = try ObjectiveBox(json: "{objective: \(objective)}", name: "objective").objective
        let grid = try settings.method(for: objective).grid
        #expect(grid.count == 7)
        #expect(grid.last?.noise == 0)
        for (level, next) in zip(grid, grid.dropFirst()) { #expect(level.sigma > next.sigma) }
    }

    @Test(arguments: [
        ("{schedule: flow}", "{kind: edm}", "schedule"),
        ("{schedule: timesteps}", "{kind: flow}", "schedule"),
        ("{solver: ddpm, schedule: karras}", "{kind: ddpm}", "schedule"),
        ("{steps: 1001}", "{kind: ddpm}", "steps"),
        ("{schedule: {kind: karras, sigmaMin: 90}}", "{kind: edm}", "schedule.sigmaMin"),
    ])
    func `what does not go together is refused by the setting's name`(
        _ sampler: String, _ objective: String, _ field: String
    ) throws {
        let settings = try SamplerSettings(json: sampler, name: "sampler")
        let objective = try ObjectiveBox(json: "{objective: \(objective)}", name: "objective").objective
        #expect { try settings.method(for: objective) } throws: {
            ($0 as? ConfigurationError)?.field == field
        }
    }

    struct ObjectiveBox: Settings {
        var objective = ObjectiveSettings.flow(.defaults)
        static var defaults: ObjectiveBox { ObjectiveBox() }
    }
}
