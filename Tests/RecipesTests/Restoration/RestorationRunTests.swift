import Archives
import Checkpoints
import Images
import Recipes
import TestSupport
import Testing

@Suite struct RestorationRunTests {
    /// Networks so small that a step takes milliseconds.
    static let models = [
        "{kind: dncnn, depth: 3, width: 4}", "{kind: ffdnet, depth: 3, width: 4}",
        "{kind: dncnn, depth: 3, width: 4, kernel: {kind: weighted, density: [0.7], isTrainable: true}}",
        "{kind: nafnet, imageChannels: 1, width: 4, encoderBlocks: [1], middleBlocks: 1, decoderBlocks: [1], "
            + "kernel: {kind: tunable, parameterCount: 2}}",
        "{kind: dicoDenoiser, inputChannels: 1, hiddenSize: 4, depth: [1, 0, 1, 0, 1], "
            + "kernel: {kind: weighted, density: [0.7], isTrainable: true}}",
        "{kind: dicoDenoiser, inputChannels: 1, hiddenSize: 4, depth: [1, 0, 1, 0, 1], patchSize: 2, "
            + "kernel: {kind: tunable, parameterCount: 2}}",
    ]

    static func configuration(
        _ folder: String, _ model: String, steps: Int,
        objective: String = "{noise: {kind: gaussian, sigma: [0, 55]}}",
        data: String = ""
    ) throws -> RestorationConfiguration {
        let yaml = """
            {model: \(model), data: {path: \(folder), size: 8, channels: 1\(data)}, objective: \(objective),
            batchSize: 2, steps: \(steps), checkpoints: {every: 3}, log: {tensorBoard: false},
            validation: {path: \(folder), every: 6, limit: 1}, optimizer: {accumulation: 2, average: {decay: 0.5}}}
            """
        return try RestorationConfiguration(SettingsNode(yaml: yaml, name: "test", hasLines: false))
    }

    static func withImages<Result>(_ body: (_ images: String, _ folder: String) throws -> Result) throws
        -> Result
    {
        try withTemporaryFolder { folder in
            let images = joinPath(folder, "images")
            try makeFolder(images)
            for index in 0..<3 {
                try ImageDenoiserTests.picture(16 + index, 15, channels: 1)
                    .write(to: joinPath(images, "\(index).png"))
            }
            return try body(images, folder)
        }
    }

    @Test(arguments: models) func `a run stopped and resumed ends with the bytes of one left alone`(
        _ model: String
    ) throws {
        try Self.withImages { images, folder in
            func train(_ name: String, steps: Int, resume: Bool = false) throws {
                let run = try RestorationRun(
                    Self.configuration(images, model, steps: steps),
                    folder: .init(path: joinPath(folder, name)),
                    resume: resume, onEvent: { _ in })
                #expect(try run.run { false } == .finished)
            }
            try train("whole", steps: 6)
            try train("broken", steps: 3)
            try train("broken", steps: 6, resume: true)
            for file in ["model.safetensors", "checkpoints/step-00000006.safetensors"] {
                #expect(
                    try bytes(of: joinPath(folder, "whole/" + file))
                        == bytes(of: joinPath(folder, "broken/" + file)))
            }
            // What was trained can be used, running statistics and all.
            let trained = try DenoisingModel(path: joinPath(folder, "whole"))
            #expect(trained.sigmas == 0...55)
            _ = try ImageDenoiser(trained, sigma: .level(20)).denoise(
                ImageDenoiserTests.picture(12, 12, channels: 1))
        }
    }

    @Test func `a DiCo that is told σ learns, and is driven by a given and an estimated level`() throws {
        try Self.withImages { images, folder in
            let model = "{kind: dicoDenoiser, inputChannels: 1, hiddenSize: 8, depth: [1, 0, 1, 0, 1]}"
            var configuration = try Self.configuration(
                images, model, steps: 60,
                objective: "{noise: {kind: gaussian, sigma: [10, 50]}, loss: l2}")
            configuration.optimizer.learningRate = 3e-3
            configuration.validation.path = nil
            configuration.log.every = 15
            let run = try RestorationRun(
                configuration, folder: .init(path: joinPath(folder, "run")), resume: false, onEvent: { _ in })
            #expect(try run.run { false } == .finished)
            let losses = try LossPlot(runFolder: joinPath(folder, "run")).losses
            #expect(losses.count == 4 && losses[3] < 0.8 * losses[0], "\(losses)")

            let trained = try DenoisingModel(path: joinPath(folder, "run"))
            let picture = ImageDenoiserTests.picture(31, 22, channels: 1)
            let results = try [.level(10), .level(40), .estimated, .level(0)].map { (choice: SigmaChoice) in
                try #require(try ImageDenoiser(trained, sigma: choice).denoise(picture))
            }
            #expect(Set(results.map(\.image.samples)).count == 4)
            #expect(results[3].image == picture)
            #expect(try #require(results[2].sigma) > 0)
        }
    }

    @Test func `running statistics change in training and are exported`() throws {
        try Self.withImages { images, folder in
            let run = try RestorationRun(
                Self.configuration(images, Self.models[0], steps: 3),
                folder: .init(path: joinPath(folder, "run")), resume: false, onEvent: { _ in })
            _ = try run.run { false }
            let weights = try Checkpoint(path: joinPath(folder, "run/model.safetensors")).tensors
            let mean = try #require(weights.first { $0.name == "model.3.running_mean" })
            #expect(mean.floats.contains { $0 != 0 })
            let log = String(decoding: try bytes(of: joinPath(folder, "run/log.jsonl")), as: UTF8.self)
            #expect(log.contains("\"validation\":{\"psnr@25\":"))
        }
    }

    @Test func `pairs are learned from in folders and as SIDD has them`() throws {
        try Self.withImages { images, folder in
            let noisy = joinPath(folder, "noisy")
            let scene = joinPath(folder, "sidd/0001_001")
            for path in [noisy, scene] { try makeFolder(path) }
            for index in 0..<3 {
                let content = try bytes(of: joinPath(images, "\(index).png"))
                try AtomicFile.write(content, to: joinPath(noisy, "\(index).png"))
                for kind in ["GT", "NOISY"] {
                    try AtomicFile.write(content, to: joinPath(scene, "0001_\(kind)_SRGB_01\(index).PNG"))
                }
            }
            for (path, data) in [(images, ", noisy: \(noisy)"), (joinPath(folder, "sidd"), ", layout: sidd")]
            {
                var configuration = try Self.configuration(
                    path, Self.models[0], steps: 3, objective: "{loss: l2}", data: data)
                configuration.validation.path = nil
                let run = try RestorationRun(
                    configuration, folder: .init(path: path + "-run"), resume: false, onEvent: { _ in })
                #expect(try run.run { false } == .finished)
            }
            #expect(throws: SettingsError.self) {
                try Self.configuration(images, Self.models[0], steps: 3, data: ", noisy: \(noisy)")
            }
        }
    }
}
