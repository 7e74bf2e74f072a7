import Recipes
import Testing

/// What a mistake in a settings file is answered with, word for word.
@Suite struct SettingsErrorTests {
    static let good = """
        model: {hiddenSize: 8, depth: [1, 1, 1, 1, 1], inputChannels: 3, classCount: 10, learnSigma: false}
        data:
          kind: shapes
          size: 16
        """

    @Test(arguments: [
        ("optimizr: {}", "a.yaml:5: optimizr is no setting; did you mean \"optimizer\"?"),
        (
            "optimizer:\n  learningrate: 1",
            "a.yaml:6: optimizer.learningrate is no setting; did you mean \"learningRate\"?"
        ),
        (
            "optimizer:\n  lr: 1",
            "a.yaml:6: optimizer.lr is no setting; known here are accumulation, average, beta1, beta2, clipNorm, densityLearningRate, epsilon, learningRate, schedule, weightDecay"
        ),
        ("batchSize: many", "a.yaml:5: batchSize must be a whole number, found \"many\""),
        ("batchSize: 1.5", "a.yaml:5: batchSize must be a whole number, found 1.5"),
        ("batchSize: [1]", "a.yaml:5: batchSize must be a whole number, found a list of 1"),
        ("batchSize: 0", "a.yaml:5: batchSize must be at least 1, found 0"),
        ("batchSize:", "a.yaml:5: batchSize must be a whole number, found nothing"),
        ("seed: -1", "a.yaml:5: seed must be a whole number of at least 0, found -1"),
        ("steps: \"10\"", "a.yaml:5: steps must be a whole number, found \"10\""),
        ("optimizer: 3", "a.yaml:5: optimizer must be a group of settings (key: value), found 3"),
        (
            "optimizer:\n  schedule:\n    kind: cosin",
            "a.yaml:7: optimizer.schedule.kind must be one of constant, cosine, linear, found \"cosin\"; did you mean \"cosine\"?"
        ),
        ("optimizer: {learningRate: -1}", "a.yaml:5: optimizer.learningRate must be above 0, found -1.0"),
        (
            "objective:\n  kind: flo",
            "a.yaml:6: objective.kind must be one of ddpm, velocity, flow, edm, found \"flo\"; did you mean \"flow\"?"
        ),
        (
            "objective:\n  kind: edm\n  shift: 3",
            "a.yaml:7: objective.shift is no setting; known here are kind, logDeviation, logMean, sigmaData, timeScale"
        ),
        ("log: {tensorBoard: 1}", "a.yaml:5: log.tensorBoard must be true or false, found 1"),
        (
            "samples: {sampler: {guidance: {interval: [3, 1]}}}",
            "a.yaml:5: samples.sampler.guidance.interval must be two rising numbers [low, high], found [3.0, 1.0]"
        ),
        (
            "objective: ddpm",
            "a.yaml:1: model.learnSigma must be true for an objective that learns the variance, found false"
        ),
        ("steps: 10\nsteps: 20", "a.yaml:5: steps is given twice; keep one"),
        ("steps: [1", "a.yaml:6: is not YAML: did not find expected ',' or ']'"),
    ])
    func `a mistake is named with file, line and remedy`(_ addition: String, _ message: String) {
        #expect(Self.message(Self.good + "\n" + addition) == message)
    }

    @Test(arguments: [
        ("", "a.yaml: model is missing"),
        ("data: {kind: shapes}", "a.yaml:1: model is missing"),
        (
            "model: {hiddenSise: 8, depth: [1]}\ndata: {kind: shapes}",
            "a.yaml:1: model.hiddenSise is no setting; did you mean \"hiddenSize\"?"
        ),
        (
            "model: {depth: [1]}\ndata: {kind: shapes}",
            "a.yaml:1: model.hiddenSize is missing; give a whole number"
        ),
        (
            "model: {preset: dico-m}\ndata: {kind: shapes}",
            "a.yaml:1: model.preset must be one of dico-s, dico-b, dico-l, dico-xl, dico-h, found \"dico-m\"; did you mean \"dico-b\"?"
        ),
        (
            "model:\n  hiddenSize: 8\n  depth: [1, 1]\ndata: {kind: shapes}",
            "a.yaml:3: model.depth must be five block counts of at least 0, found [1, 1]"
        ),
        (
            "model: {preset: dico-s, inputChannels: 3, learnSigma: false}\ndata:\n  kind: shapes\n  size: 30",
            "a.yaml:4: data.size must be a multiple of 4 for this model, found 30"
        ),
        (
            "model: {preset: dico-s, inputChannels: 3}\ndata:\n  kind: shapes\n  size: big",
            "a.yaml:4: data.size must be a size such as 32 or 48x32 (width first), found \"big\""
        ),
        (
            "model: {preset: dico-s}\ndata: {size: 32}",
            "a.yaml:2: data.path must be given, unless kind is shapes"
        ),
        ("- a\n- b", "a.yaml:1: must be a group of settings (key: value), found a list of 2"),
    ])
    func `what is missing or cannot be is named`(_ yaml: String, _ message: String) {
        #expect(Self.message(yaml) == message)
    }

    @Test(arguments: [
        (
            "optimizer.learnRate=1",
            "--set optimizer.learnRate=1: optimizer.learnRate is no setting; did you mean \"learningRate\"?"
        ),
        ("optimzer.beta1=1", "--set optimzer.beta1=1: optimzer is no setting; did you mean \"optimizer\"?"),
        ("steps=soon", "--set steps=soon: steps must be a whole number, found \"soon\""),
        ("steps=", "--set steps=: steps must be a whole number, found nothing"),
        ("steps", "--set steps: has no value; write KEY=VALUE, as in --set optimizer.lr=3e-4"),
        ("=3", "--set =3: has no usable key; write KEY=VALUE, as in --set optimizer.lr=3e-4"),
        ("steps=0", "--set steps=0: steps must be at least 1, found 0"),
        ("steps.more=1", "--set steps.more=1: steps must be a whole number, found a group of settings"),
    ])
    func `a mistake in an override names the override`(_ override: String, _ message: String) {
        #expect(Self.message(Self.good, [override]) == message)
    }

    static func message(_ yaml: String, _ overrides: [String] = []) -> String {
        do {
            let node = try SettingsNode(yaml: yaml, name: "a.yaml")
            _ = try TrainingConfiguration(node.applying(overrides.map(SettingsOverride.init(parsing:))))
            return "no error"
        } catch {
            return "\(error)"
        }
    }
}
