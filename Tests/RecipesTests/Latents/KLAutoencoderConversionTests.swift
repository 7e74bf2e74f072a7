import Archives
import Backbones
import Checkpoints
import Layers
import Recipes
import TestSupport
import Tensors
import Testing

@Suite struct KLAutoencoderConversionTests {
    private let latents = RandomStream(seed: 1).normals([2, 3, 4, 2])

    private func images(_ tensors: [StoredTensor], _ folder: String) throws -> [Float] {
        let path = joinPath(folder, "converted.safetensors")
        try TinyAutoencoder.convert(tensors, in: folder).write(to: path, as: .float32)
        return try LoadedKLAutoencoder(path: path).images(of: latents).scalars
    }

    private func renamed(_ tensors: [StoredTensor], _ rename: (String) -> String) -> [StoredTensor] {
        tensors.map { tensor in
            var tensor = tensor
            tensor.name = rename(tensor.name)
            return tensor
        }
    }

    @Test func `both schemes of names give the same images, whatever stands beside and before them`() throws {
        try withTemporaryFolder { folder in
            let plain = TinyAutoencoder.weights(.latentDiffusion)
            let expected = try images(plain, folder)
            #expect(expected.count == 2 * 6 * 8 * 3 && expected.allSatisfy(\.isFinite))
            let modern = TinyAutoencoder.weights(.diffusers)
            #expect(try images(modern, folder) == expected)
            // The names of diffusers before its attention was rewritten, its linear layers stored as convolutions.
            let old = modern.map { tensor -> StoredTensor in
                let isMatrix = tensor.name.contains(".attentions.") && tensor.shape.count == 2
                var name = tensor.name
                for (new, former) in [
                    (".to_q.", ".query."), (".to_k.", ".key."), (".to_v.", ".value."),
                    (".to_out.0.", ".proj_attn."),
                ] { name = name.replacing(new, with: former) }
                return StoredTensor(
                    name: name, shape: tensor.shape + (isMatrix ? [1, 1] : []), type: tensor.type,
                    bytes: tensor.bytes)
            }
            #expect(try images(old, folder) == expected)
            let loss = StoredTensor(name: "loss.logvar", shape: [1], floats: [0])
            #expect(try images(plain + [loss], folder) == expected)
            let whole = renamed(plain) { "first_stage_model." + $0 }
            let other = StoredTensor(name: "model.diffusion_model.out", shape: [1], floats: [0])
            #expect(try images(whole + [other], folder) == expected)
            // Averaged weights before those of the last step.
            let step = plain.map {
                StoredTensor(name: $0.name, shape: $0.shape, floats: $0.floats.map { $0 / 2 })
            }
            #expect(try images(step + renamed(plain) { "ema." + $0 }, folder) == expected)
        }
    }

    @Test func `the checkpoint describes itself and converts again`() throws {
        try withTemporaryFolder { folder in
            let path = try TinyAutoencoder.checkpoint(in: folder)
            #expect(KLAutoencoderConversion.describes(path))
            let loaded = try LoadedKLAutoencoder(path: path)
            #expect(loaded.configuration == TinyAutoencoder.configuration(.latentDiffusion))
            #expect(loaded.identity.stride == 2 && loaded.identity.scale == 0.5)
            let half = joinPath(folder, "half.safetensors")
            try KLAutoencoderConversion(source: path, architecture: nil, overrides: []).write(
                to: half, as: .float16)
            let (exact, near) = (
                loaded.images(of: latents), try LoadedKLAutoencoder(path: half).images(of: latents)
            )
            let error = zip(exact.scalars, near.scalars).map { abs($0 - $1) }.max() ?? 0
            #expect(error > 0 && error < 0.02)
            let inspection = try Inspection(path: path, size: ImageSize(8))
            #expect(inspection.stages.map(\.name) == ["encoder", "decoder", "quant_conv", "post_quant_conv"])
            #expect(inspection.parameterCount == TinyAutoencoder.weights().reduce(0) { $0 + $1.elementCount })
        }
    }

    @Test(arguments: [
        (
            ["model.channels=[8, 6]"],
            "model.channels must be widths in multiples of the 4 groups, found [8, 6]"
        ),
        (["model.groups=0"], "model.groups must be at least 1, found 0"),
        (["model.scale=0"], "model.scale must be above 0, found 0.0"),
        (["model.imageChannels=4"], "model.imageChannels must be 1 (grey) or 3 (colour), found 4"),
        (["model.latentChannels=3"], "another shape"), (["model.blocksPerLevel=2"], "missing"),
        (["model.attendsInEncoder=false"], "10 unexpected (encoder.down.1.attn.0."),
        (["model.chanels=[8]"], "did you mean \"channels\"?"),
    ])
    func `settings that do not fit the weights are refused`(_ settings: [String], _ message: String) throws {
        try withTemporaryFolder { folder in
            #expect {
                try TinyAutoencoder.convert(
                    TinyAutoencoder.weights(), in: folder, overrides: TinyAutoencoder.overrides + settings)
            } throws: { error in
                let isNamed = "\(error)".contains(message)
                if !isNamed { Issue.record("\(error)") }
                return isNamed
            }
        }
    }

    @Test func `weights of the published names and shapes fit the presets`() throws {
        let text = String(
            decoding: try bytes(of: TestData.fixture("lina/checkpoint_manifest.json")), as: UTF8.self)
        let manifest = try #require(try JSONValue(parsing: text).object)
        var found = 0
        for (_, entry) in manifest {
            guard let released = entry["tensors"]?.object?.mapValues({ $0.integers ?? [] }),
                released["encoder.conv_in.weight"] != nil
            else { continue }
            let naming: KLAutoencoderConfiguration.Naming =
                released.keys.contains { $0.contains("mid_block") } ? .diffusers : .latentDiffusion
            let fitting = KLAutoencoderConfiguration.presets.values.filter { preset in
                var preset = preset
                preset.naming = naming
                let shapes = Dictionary(
                    uniqueKeysWithValues: preset.parameterShapes.map { ($0.name, $0.shape.extents) })
                return ParameterDifferences(file: "", model: "", expected: shapes, found: released).isEmpty
            }
            #expect(!fitting.isEmpty)
            found += 1
        }
        #expect(found >= 2)
    }

    @Test func `what is no autoencoder says how to make one`() throws {
        try withTemporaryFolder { folder in
            _ = try TinyAutoencoder.checkpoint(in: folder)
            // Published weights, and a model of this program: neither converted.
            let model = joinPath(folder, "model.safetensors")
            let config = try JSONValue(parsing: #"{"model": {"kind": "dico", "hiddenSize": 4}}"#)
            try Checkpoint.write([], config: config, to: model)
            for path in [joinPath(folder, "weights.safetensors"), model] {
                #expect { try LoadedKLAutoencoder(path: path) } throws: {
                    "\($0)".contains(
                        "is no autoencoder of images; rewrite its published weights with sfumato convert")
                }
            }
        }
    }
}
