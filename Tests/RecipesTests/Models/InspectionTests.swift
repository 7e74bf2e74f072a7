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
