import Checkpoints
import Recipes
import Tensors
import TestSupport
import Testing

@Suite struct ConversionTests {
    static let small = ["model.hiddenSize=4", "model.depth=[1,0,1,0,1]", "model.classCount=3"]

    static func overrides() throws -> [SettingsOverride] { try small.map(SettingsOverride.init(parsing:)) }

    static func weights() throws -> [String: Tensor] {
        let text = "{model: {hiddenSize: 4, depth: [1, 0, 1, 0, 1], classCount: 3}}"
        return TinyModel.weights(try CheckpointConfiguration(json: text, name: "small"))
    }

    @Test(arguments: ["", "ema.", "model.", "module.", "ema.module.", "state_dict.", "ema._orig_mod."])
    func `what wrappers put before names is left out`(_ prefix: String) throws {
        try withTemporaryFolder { folder in
            let weights = try Self.weights()
            let tensors = weights.map { OutgoingTensor(name: prefix + $0.key, $0.value) }
            let other = OutgoingTensor(name: "opt.state.0", Tensor.zeros([3]))
            try SafetensorsFile.write(tensors + [other], to: folder + "/in.safetensors")
            let conversion = try Conversion(
                source: folder + "/in.safetensors", architecture: "dico-s", overrides: Self.overrides())
            #expect(conversion.prefix == prefix)
            try conversion.write(to: folder + "/out.safetensors", as: .float32)
            let result = try Checkpoint(path: folder + "/out.safetensors")
            #expect(Set(result.tensors.map(\.name)) == Set(weights.keys))
            for tensor in result.tensors { #expect(tensor.floats == weights[tensor.name]?.scalars) }
            #expect(
                try LoadedModel(path: folder + "/out.safetensors").parameterCount == conversion.parameterCount
            )
        }
    }

    @Test func `averaged weights are taken before plain ones`() throws {
        try withTemporaryFolder { folder in
            let weights = try Self.weights()
            let averaged = weights.map { OutgoingTensor(name: "ema." + $0.key, $0.value) }
            let plain = weights.map { OutgoingTensor(name: "model." + $0.key, Tensor.zeros($0.value.shape)) }
            try SafetensorsFile.write(averaged + plain, to: folder + "/in.safetensors")
            let conversion = try Conversion(
                source: folder + "/in.safetensors", architecture: "dico-s", overrides: Self.overrides())
            try conversion.write(to: folder + "/out.safetensors", as: .float32)
            for tensor in try Checkpoint(path: folder + "/out.safetensors").tensors {
                #expect(tensor.floats == weights[tensor.name]?.scalars)
            }
        }
    }

    @Test func `weights of another architecture are refused with what differs`() throws {
        try withTemporaryFolder { folder in
            let tensors = try Self.weights().map { OutgoingTensor(name: $0.key, $0.value) }
            try SafetensorsFile.write(tensors, to: folder + "/in.safetensors")
            #expect(throws: ParameterDifferences.self) {
                try Conversion(source: folder + "/in.safetensors", architecture: "dico-s", overrides: [])
            }
            #expect {
                try Conversion(source: folder + "/in.safetensors", architecture: nil, overrides: [])
            } throws: {
                "\($0)".hasSuffix(
                    "does not say which network it is; name it with --architecture, as in dico-xl")
            }
        }
    }

    @Test func `a checkpoint that does not fit what it says of itself is refused with the first differences`()
        throws
    {
        try withTemporaryFolder { folder in
            let path = folder + "/wrong.safetensors"
            let config = "{model: {hiddenSize: 6, depth: [1, 0, 1, 0, 1], classCount: 3}}"
            try Checkpoint.write(
                Self.weights().map { OutgoingTensor(name: $0.key, $0.value) },
                config: CheckpointConfiguration(json: config, name: "wrong").node.json, to: path)
            #expect { try LoadedModel(path: path) } throws: {
                "\($0)".hasPrefix("\(path): does not fit the DiCo it describes: ")
                    && "\($0)".contains(
                        "of another shape: x_embedder.proj.weight is [4, 4, 3, 3], the model needs")
            }
        }
    }

    @Test func `half the bytes keep the weights to half their digits`() throws {
        try withTemporaryFolder { folder in
            let weights = try Self.weights()
            try SafetensorsFile.write(
                weights.map { OutgoingTensor(name: $0.key, $0.value) }, to: folder + "/in.safetensors")
            try Conversion(
                source: folder + "/in.safetensors", architecture: "dico-s", overrides: Self.overrides()
            ).write(to: folder + "/out.safetensors", as: .bfloat16)
            for tensor in try Checkpoint(path: folder + "/out.safetensors").tensors {
                #expect(tensor.type == .bfloat16)
                for (kept, value) in zip(tensor.floats, weights[tensor.name]?.scalars ?? []) {
                    #expect(abs(kept - value) <= abs(value) / 256)
                }
            }
        }
    }
}
