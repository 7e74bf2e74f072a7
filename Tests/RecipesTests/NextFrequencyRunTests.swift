import Archives
import Checkpoints
import Layers
import Recipes
import TestSupport
import Testing
import Training

/// Whole training runs of next-frequency models in folders.
@Suite struct NextFrequencyRunTests {
    private func plan(
        grids: String = "[4, 8]", size: Int = 8, steps: Int = 4, head: String = "joint",
        backbone: String = "", more: String = ""
    ) throws -> TrainingPlan {
        let yaml = """
            {model: {kind: nextFrequency, grids: \(grids), classCount: 10, head: \(head),
              backbone: {hiddenSize: 4, depth: [1, 0, 0, 0, 1]\(backbone)}},
            data: {kind: shapes, count: 24, size: \(size)}, objective: flow, batchSize: 4, steps: \(steps),
            optimizer: {accumulation: 2, average: {decay: 0.5}}, checkpoints: {every: 2},
            samples: {every: 2, count: 2, sampler: {steps: 2, guidance: {scale: 2}}},
            log: {every: 1, tensorBoard: false}\(more)}
            """
        return try TrainingPlan(
            TrainingConfiguration(SettingsNode(yaml: yaml, name: "bands", hasLines: false)), origin: "bands")
    }

    private func train(_ plan: TrainingPlan, _ folder: String, resume: Bool = false) throws {
        let run = try TrainingRun(plan, folder: RunFolder(path: folder), resume: resume) { _ in }
        #expect(try run.run { false } == .finished)
    }

    private static let tokenHead = "{kind: token, features: 4, width: 8, depth: 1}"

    @Test(arguments: ["joint", tokenHead])
    func `a run stopped and resumed ends with the bytes of one left alone`(_ head: String) throws {
        try withTemporaryFolder { folder in
            let (whole, broken) = (joinPath(folder, "whole"), joinPath(folder, "broken"))
            try train(plan(head: head), whole)
            try train(plan(steps: 2, head: head), broken)
            try train(plan(head: head), broken, resume: true)
            for file in [
                "model.safetensors", "checkpoints/step-00000004.safetensors", "samples/step-00000004.png",
            ] {
                #expect(try bytes(of: joinPath(whole, file)) == bytes(of: joinPath(broken, file)), "\(file)")
            }
            let log = String(decoding: try bytes(of: joinPath(whole, "log.jsonl")), as: UTF8.self)
            #expect(log.contains("\"level 1\":") && log.contains("\"level 2\":"))
        }
    }

    @Test(arguments: [
        (
            "{kind: token, cell: 3}",
            "model.head.cell must be a divisor of the first grid's sides 4×4, found 3"
        ),
        ("{kind: token, width: 7}", "model.head.width must be an even number"),
        ("{kind: token, deep: 2}", "model.head.deep is no setting"),
        ("{kind: tokens}", "model.head"),
        (
            "{kind: token, masking: {low: 0}}",
            "model.head.masking.low must be large enough to hide one of the first level's 4 tokens, found 0.0"
        ),
        (
            "{kind: token, features: 4}, backbone: {hiddenSize: 4, depth: [1, 0, 0, 0, 1], inputChannels: 13}",
            "model.backbone.inputChannels must be 14"
        ),
    ])
    func `heads that do not fit are refused`(_ head: String, _ message: String) throws {
        let given =
            head.contains("backbone") ? head : head + ", backbone: {hiddenSize: 4, depth: [1, 0, 0, 0, 1]}"
        let yaml = """
            {model: {kind: nextFrequency, grids: [4, 8], head: \(given)}, data: {kind: shapes, count: 4, size: 8},
            objective: flow}
            """
        #expect {
            try TrainingConfiguration(SettingsNode(yaml: yaml, name: "bands", hasLines: false))
        } throws: {
            "\($0)".contains(message)
        }
    }

    @Test func `settings of tokens go with a token head only, and the other way round`() throws {
        func check(_ head: String, _ sampler: String) throws {
            let configuration = try plan(head: head).configuration
            let settings = try SamplerSettings(json: sampler, name: "sampler")
            try configuration.model.architecture.check(settings, for: configuration.objective)
        }
        try check(Self.tokenHead, "{steps: 2, bands: {tokenSteps: 4, temperature: 0.9}}")
        #expect { try check("joint", "{bands: {tokenSteps: 4}}") } throws: {
            "\($0)".contains("bands.tokenSteps must be left out: only a token head")
        }
        #expect { try check("joint", "{bands: {temperature: 0.5}}") } throws: {
            "\($0)".contains("bands.temperature must be left out")
        }
        #expect { try check(Self.tokenHead, "{guidance: {scale: 2, rescale: 0.5}}") } throws: {
            "\($0)".contains("guidance must be a scale alone")
        }
        #expect { try check(Self.tokenHead, "{masked: {steps: 4}}") } throws: {
            "\($0)".contains("masked must be left out")
        }
    }

    @Test(arguments: ["joint", tokenHead])
    func `a checkpoint carries the sizes of the bands, and draws with them`(_ head: String) throws {
        try withTemporaryFolder { folder in
            try train(plan(steps: 2, head: head), folder)
            let model = try LoadedModel(path: joinPath(folder, "model.safetensors"))
            guard case .nextFrequency(let settings) = model.configuration.model else {
                Issue.record("not a next-frequency model")
                return
            }
            let normalization = try #require(settings.normalization)
            #expect(normalization.scales.map(\.count) == [3, 9])
            #expect(normalization.scales.joined().allSatisfy { $0 > 0 && $0 != 1 })
            // A resumed or inspected folder tells the same.
            #expect(try LoadedModel(path: folder).configuration.model == model.configuration.model)
            #expect(try Inspection(path: folder, size: nil).parameterCount == model.parameterCount)
        }
    }

    @Test func `training begins with a checkpoint of the same pyramid only`() throws {
        try withTemporaryFolder { folder in
            let first = joinPath(folder, "first")
            try train(plan(steps: 2), first)
            let start = ", initialWeights: '\(first)'"
            let second = joinPath(folder, "second")
            try train(plan(steps: 2, more: start), second)
            #expect(
                try LoadedModel(path: second).configuration.model
                    == LoadedModel(path: first).configuration.model)
            #expect {
                try train(plan(grids: "[4, 8, 16]", size: 16, more: start), joinPath(folder, "third"))
            } throws: {
                "\($0)".contains(
                    "the configuration has grids [4×4, 8×8, 16×16], the checkpoint has [4×4, 8×8]")
            }
        }
    }

    @Test(arguments: [
        ("[4, 8]", 16, "", "data.size must be 8 for this model, found 16"),
        ("[4, 12]", 12, "", "model.grids must be each twice the one before"),
        ("[2, 4, 8]", 8, "", "model.grids must be multiples of 4 for this DiCo, found 2×2"),
        ("[]", 8, "", "model.grids must be sizes such as [4, 8, 16, 32], found none"),
        ("[0, 0]", 8, "", "model.grids must be of sides in 1…4096"),
        (
            "[4, 8]", 8, ", inputChannels: 3",
            "model.backbone.inputChannels must be 13, as follows from grids, channels and classCount; found 3"
        ),
        ("[4, 8]", 8, ", classCount: 10", "model.backbone.classCount must be 22"),
        ("[4, 8]", 8, ", hiden: 10", "model.backbone.hiden is no setting"),
        ("[4, 8]", 8, ", learnSigma: true", "model.backbone.learnSigma must be false"),
        (
            "[4, 8]", 8, ", kernel: {kind: tunable, parameterCount: 2}",
            "model.backbone.kernel must be standard"
        ),
    ])
    func `grids and networks that do not fit are refused`(
        _ grids: String, _ size: Int, _ backbone: String, _ message: String
    ) {
        #expect { try plan(grids: grids, size: size, backbone: backbone) } throws: {
            "\($0)".contains(message)
        }
    }

    @Test func `a checkpoint without the sizes of its bands is refused`() {
        let text =
            "{model: {kind: nextFrequency, grids: [4, 8], backbone: {hiddenSize: 4, depth: [1, 0, 0, 0, 1]}}}"
        #expect { try CheckpointConfiguration(json: text, name: "old") } throws: {
            "\($0)".contains("model.normalization must be given in a checkpoint")
        }
    }

    @Test func `sizes of other bands are refused`() {
        let yaml = """
            {kind: nextFrequency, grids: [4, 8], backbone: {hiddenSize: 4, depth: [1, 0, 0, 0, 1]},
            normalization: {mean: [0, 0, 0], scales: [[1, 1, 1]], contextScales: [[1, 1, 1]]}}
            """
        #expect { try CheckpointConfiguration(json: "{model: \(yaml)}", name: "a") } throws: {
            "\($0)".contains("model.normalization must be that of these grids")
        }
    }
}
