import Archives
import Recipes
import TestSupport
import Testing

@Suite struct SettingsTests {
    static let configs = Self.files("configs")
    static let samplers = Self.files("samplers")

    static func files(_ folder: String) -> [String] {
        ((try? folderContents(joinPath(TestData.root, folder))) ?? []).filter { $0.hasSuffix(".yaml") }
            .map { "\(folder)/\($0)" }
    }

    @Test(arguments: configs) func `every file in configs is a training run`(_ file: String) throws {
        let node = try SettingsNode(yamlFile: joinPath(TestData.root, file))
        func check<Configuration: Settings & Equatable>(_ type: Configuration.Type) throws {
            let configuration = try Configuration(node)
            #expect(try Configuration(configuration.node) == configuration)
        }
        if RestorationConfiguration.describes(node) {
            try check(RestorationConfiguration.self)
        } else if AutoencoderConfiguration.describes(node) {
            try check(AutoencoderConfiguration.self)
        } else {
            try check(TrainingConfiguration.self)
        }
    }

    @Test(arguments: samplers) func `every file in samplers is a recipe`(_ file: String) throws {
        let path = joinPath(TestData.root, file)
        guard try DenoisingRecipe.describes(SettingsNode(yamlFile: path)) else {
            let recipe = try SamplingRecipe(recipeFile: path)
            #expect(try SamplingRecipe(recipe.node) == recipe)
            return
        }
        let recipe = try DenoisingRecipe(recipeFile: path)
        #expect(try DenoisingRecipe(recipe.node) == recipe)
        #expect(recipe.checkpoint.hasPrefix(joinPath(TestData.root, "samplers/weights/")))
    }

    @Test func `there are configurations and recipes`() {
        #expect(Self.configs.count >= 3)
        #expect(Self.samplers.count >= 3)
    }

    @Test func `what a file leaves out has the default`() throws {
        let configuration = try Self.configuration(SettingsErrorTests.good)
        #expect(configuration.batchSize == 128)
        #expect(configuration.optimizer.beta2 == 0.999)
        #expect(configuration.objective == .flow(.defaults))
        #expect(configuration.samples.sampler.solver == .ddim)
    }

    @Test func `overrides are stronger than the file, later ones than earlier ones`() throws {
        let configuration = try Self.configuration(
            SettingsErrorTests.good + "\nsteps: 5\nbatchSize: 2",
            ["steps=6", "optimizer.learningRate=3e-4", "steps=7", "model.depth=[2, 1, 1, 1, 2]"])
        #expect(configuration.steps == 7)
        #expect(configuration.batchSize == 2)
        #expect(configuration.optimizer.learningRate == 3e-4)
        guard case .dico(let dico) = configuration.model else { return }
        #expect(dico.depth == [2, 1, 1, 1, 2])
        #expect(dico.hiddenSize == 8)
    }

    @Test func `a preset stands behind the settings beside it`() throws {
        let configuration = try Self.configuration(
            "model: {preset: dico-b, inputChannels: 3, learnSigma: false}\ndata: {kind: shapes}")
        guard case .dico(let dico) = configuration.model else { return }
        #expect(dico.hiddenSize == 256)
        #expect(dico.depth == [5, 4, 4, 4, 4])
        #expect(dico.inputChannels == 3)
    }

    @Test func `another kind has its own defaults, not the former kind's values`() throws {
        let configuration = try Self.configuration(
            SettingsErrorTests.good + "\nsamples: {sampler: {schedule: karras, clip: {kind: clamp}}}",
            ["objective.kind=velocity"])
        #expect(configuration.objective == .velocity(.defaults))
        #expect(configuration.samples.sampler.schedule == .karras(.defaults))
        #expect(configuration.samples.sampler.clip == .clamp(.defaults))
    }

    @Test(arguments: ["1000", "1_000", "1e3", "1.0e+3"])
    func `whole numbers may be written in every usual way`(_ text: String) throws {
        #expect(try Self.configuration(SettingsErrorTests.good + "\nsteps: \(text)").steps == 1000)
    }

    @Test func `settings survive YAML and JSON, large seeds and infinities included`() throws {
        var configuration = try Self.configuration(SettingsErrorTests.good)
        configuration.seed = .max
        configuration.data.path = "a folder: with \"signs\""
        configuration.optimizer.learningRate = 0.1 + 0.2
        configuration.samples.sampler.guidance.interval = [0, .infinity]
        let yaml = try TrainingConfiguration(SettingsNode(yaml: configuration.node.yaml, name: "yaml"))
        #expect(yaml == configuration)
        let json = try TrainingConfiguration(json: configuration.node.json.text, name: "json")
        #expect(json == configuration)
    }

    @Test(
        arguments: [
            ("hiddenSise", "hiddenSize"), ("HIDDENSIZE", "hiddenSize"), ("dpeth", "depth"), ("dep", nil),
            ("unrelated", nil),
        ] as [(String, String?)])
    func `the nearest name is one slip away`(_ word: String, _ nearest: String?) {
        #expect(nearestName(to: word, in: ["hiddenSize", "depth", "mlpRatio"]) == nearest)
    }

    static func configuration(_ yaml: String, _ overrides: [String] = []) throws -> TrainingConfiguration {
        try TrainingConfiguration(
            SettingsNode(yaml: yaml, name: "a.yaml").applying(overrides.map(SettingsOverride.init(parsing:))))
    }
}
