import Archives
import Checkpoints
import Images
import Layers
import Metrics
import TestSupport
import Tensors
import Testing

@testable import Recipes

/// An autoencoder scored by what it leaves of images.
@Suite struct ReconstructionEvaluationTests {
    /// A fresh autoencoder of 8×8 images in a file.
    private func autoencoder(_ folder: String) throws -> LoadedAutoencoder {
        let yaml = """
            {kind: frvae, codec: {width: 32, multipliers: [1, 1], residualBlocks: 0, latentChannels: 4,
            usesAttention: false, usesMiddleAttention: false}, quantizer: {vocabulary: 16, channels: 4,
            pyramid: {grids: [1, 2, 4], sizing: spectral}}}
            """
        let settings = try AutoencoderCheckpoint(json: "{model: \(yaml)}", name: "tiny")
        let store = ParameterStore(.initialized(seed: 3), isTracked: false)
        _ = try FRVAE(store.scope, settings.model.frvae)
        let path = joinPath(folder, "frvae.safetensors")
        try Checkpoint.write(
            (store.all + store.buffers).map { OutgoingTensor(name: $0.name, $0.tensor) },
            config: settings.node.json,
            to: path)
        return try #require(try LoadedAutoencoder.evaluated(path))
    }

    private func request(_ folder: String, side: Int = 8, count: Int = 6) throws -> EvaluationRequest {
        let images = joinPath(folder, "images")
        try makeFolder(images)
        for index in 0..<count {
            try EvaluationBadInputTests.picture(index, side: side).write(to: "\(images)/\(index).png")
        }
        var request = EvaluationRequest(against: images)
        request.autoencoder = try autoencoder(folder)
        return request
    }

    @Test func `reconstructions are scored against the images they are of`() throws {
        try withTemporaryFolder { folder in
            let request = try request(folder)
            let report = try Evaluation(request).report()
            #expect(report.rows.map(\.metric) == ["fd-feat", "psnr"])
            let model = try #require(request.autoencoder).model
            let own = try (0..<6).map { index in
                let image = EvaluationBadInputTests.picture(index, side: 8)
                let made = Image(model.reconstruct(Tensor([image])))
                return try ImageFidelity.psnr(PixelGrid(rgb: image), PixelGrid(rgb: made))
            }
            #expect(abs(try #require(report["psnr"]).value - own.reduce(0, +) / 6) < 1e-6)
            let distance = try #require(report["fd-feat"]).value
            #expect(distance.isFinite && distance > 0 && report.heldOutCount == nil)
        }
    }

    @Test func `what is made of an image depends on nothing beside it`() throws {
        try withTemporaryFolder { folder in
            let evaluation = try Evaluation(request(folder))
            let together = try evaluation.samples.images(0..<6)
            #expect(together == (try (0..<6).flatMap { try evaluation.samples.images($0..<$0 + 1) }))
        }
    }

    @Test func `larger images are cropped, fewer are taken when asked, smaller ones are refused by name`()
        throws
    {
        try withTemporaryFolder { folder in
            var request = try request(folder, side: 12)
            request.limit = 4
            let evaluation = try Evaluation(request)
            #expect(evaluation.samples.count == 4 && evaluation.reference?.count == 4)
            #expect(try evaluation.samples.images(0..<1)[0].width == 8)
        }
        try withTemporaryFolder { folder in
            let small = try request(folder, side: 7)
            #expect { try Evaluation(small).report() } throws: {
                "\($0)".contains(".png: is 7×7, smaller than the 8×8 images of")
            }
        }
    }

    @Test func `a model that reconstructs nothing is told what to do instead`() throws {
        try withTemporaryFolder { folder in
            let path = joinPath(folder, "weights.safetensors")
            try SafetensorsFile.write([StoredTensor(name: "w", shape: [1], floats: [1])], to: path)
            #expect { try LoadedAutoencoder.evaluated(path) } throws: {
                "\($0)".contains(
                    "is no autoencoder, so it reconstructs nothing; score what a generator draws")
            }
            #expect(try LoadedAutoencoder.evaluated(folder) == nil)
        }
    }
}
