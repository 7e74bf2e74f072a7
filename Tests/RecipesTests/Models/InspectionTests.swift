import Archives
import Recipes
import TestSupport
import Testing

@Suite struct InspectionTests {
    static func inspect(_ preset: String) throws -> Inspection {
        try withTemporaryFolder { folder in
            let yaml =
                "model: {preset: \(preset), inputChannels: 3, learnSigma: false}\ndata: {kind: shapes}\n"
            try AtomicFile.write(yaml, to: folder + "/a.yaml")
            let overrides = try ["model.inputChannels=3"].map(SettingsOverride.init(parsing:))
            return try Inspection(path: folder + "/a.yaml", size: nil, overrides: overrides)
        }
    }

    @Test(arguments: [
        ("dico-s", 33_137_672), ("dico-b", 129_992_712), ("dico-l", 463_897_992), ("dico-xl", 701_151_368),
        ("dico-h", 1_037_408_328),
    ])
    func `published sizes have their published parameter counts`(_ preset: String, _ count: Int) throws {
        let inspection = try Self.inspect(preset)
        // Three input channels instead of four, and no variance channels: what that saves is told by the stem
        // and the head.
        guard case .generator(let configuration) = inspection.subject,
            case .dico(var dico) = configuration.model
        else { return }
        let (stem, head) = (9 * dico.hiddenSize, 5 * (9 * 2 * dico.hiddenSize + 1))
        #expect(inspection.parameterCount + stem + head == count)
        (dico.inputChannels, dico.learnSigma) = (4, true)
        #expect(ModelSettings.dico(dico).parameterCount == count)
    }

    @Test func `every parameter and operation belongs to a stage`() throws {
        let inspection = try Self.inspect("dico-s")
        guard case .generator(let configuration) = inspection.subject else { return }
        #expect(inspection.parameterCount == configuration.model.parameterCount)
        #expect(
            inspection.stages.first?.name == "x_embedder" && inspection.stages.last?.name == "final_layer")
        #expect(inspection.text.contains("decoder_level_1"))
    }

    @Test(arguments: [
        (0, "0"), (999, "999"), (1000, "1,000"), (33_137_672, "33,137,672"), (-1234, "-1,234"),
    ])
    func `digits are grouped in threes`(_ number: Int, _ text: String) {
        #expect(TextTable.grouped(number) == text)
    }

    @Test(arguments: [
        (1.0, 2, "1.00"), (0.996, 2, "1.00"), (-0.004, 2, "0.00"), (12.345, 1, "12.3"), (-2.5, 0, "-3"),
    ])
    func `numbers are written with so many decimals`(_ value: Double, _ digits: Int, _ text: String) {
        #expect(TextTable.fixed(value, digits: digits) == text)
    }
}

@Suite struct DenoiserInspectionTests {
    @Test func `published weights tell their network, and layers keep their statistics`() throws {
        let inspection = try Inspection(
            path: joinPath(TestData.vendored, "matlab/dncnn.mat"), size: ImageSize(64))
        let stages = inspection.stages
        #expect(inspection.text.hasPrefix("model       DnCNN\n"))
        #expect(inspection.digest == nil && inspection.fileBytes ?? 0 > 0)
        #expect(stages.count >= 2 && stages.allSatisfy { $0.filters != nil && $0.multiplyAccumulates > 0 })
        let member = try Inspection(
            path: joinPath(TestData.vendored, "matlab/dncnn.mat"), size: ImageSize(width: 128, height: 64))
        #expect(member.multiplyAccumulates == 2 * inspection.multiplyAccumulates)
        #expect(inspection.json["config"]?["model"]?["kind"]?.string == "dncnn")
    }

    @Test(
        .enabled(if: DenoisingRunTests.isPresent),
        arguments: [
            ("dncnn_pytorch_sigma25.pth", 556_096), ("dncnn_gray_sigma25.safetensors", 555_137),
            ("dncnn_color_blind.safetensors", 668_227), ("kair_dncnn_25.pth", 555_137),
            ("fdncnn_color.safetensors", 668_803), ("ffdnet_gray.safetensors", 485_316),
        ])
    func `published files have their published parameter counts`(_ file: String, _ count: Int) throws {
        let path = joinPath(try #require(DenoisingRunTests.folder), "models/\(file)")
        let inspection = try Inspection(path: path, size: nil)
        #expect(inspection.parameterCount == count)
        #expect(inspection.size == ImageSize(256))
    }

    static let configs = SettingsTests.configs.filter { file in
        (try? SettingsNode(yamlFile: joinPath(TestData.root, file))).map(RestorationConfiguration.describes)
            ?? false
    }

    @Test(arguments: configs) func `every configuration of a denoiser can be looked at`(_ file: String) throws
    {
        let inspection = try Inspection(path: joinPath(TestData.root, file), size: nil)
        #expect(inspection.parameterCount > 0 && inspection.multiplyAccumulates > 0)
    }

    @Test func `a configuration's noise, kernel and reach are told`() throws {
        try withTemporaryFolder { folder in
            let path = joinPath(folder, "a.yaml")
            try AtomicFile.write(
                """
                model: {kind: nafnet, imageChannels: 1, width: 4, encoderBlocks: [1], middleBlocks: 1,
                  decoderBlocks: [1], kernel: {kind: tunable, parameterCount: 2}}
                data: {path: x, size: 24}
                objective: {noise: {kind: gaussian, sigma: [0, 55]}}
                """, to: path)
            let text = try Inspection(path: path, size: nil).text
            for line in [
                "for 24×24", "images      grey", "σ 0…55, not told its level", "tunable by 2 values",
                "means over the whole image",
            ] { #expect(text.contains(line), "\(line)") }
        }
    }
}
