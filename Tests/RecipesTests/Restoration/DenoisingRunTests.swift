import Archives
import Checkpoints
import Images
import Recipes
import TestSupport
import Testing

@Suite struct DenoisingRunTests {
    static let folder = TestData.data.map { joinPath($0, "denoise") }
    static let isPresent = folder.map { fileExists(joinPath($0, "reference_results.json")) } ?? false

    /// The measured figures of a run that uses the specified noise.
    static func reference(_ model: String, _ dataset: String, _ sigma: Int) throws -> [JSONValue] {
        let text = String(
            decoding: try bytes(of: joinPath(try #require(folder), "reference_results.json")), as: UTF8.self)
        let run = try #require(
            try JSONValue(parsing: text)["runs"]?.array?.first {
                $0["model"]?.string == model && $0["dataset"]?.string == dataset
                    && $0["sigma"]?.integer == sigma && $0["noise"]?.string == "sm64"
            })
        return try #require(run["images"]?.array)
    }

    @Test(
        .enabled(if: isPresent),
        arguments: [
            ("dncnn_pytorch_sigma25", "Set12", 25), ("dncnn_gray_sigma50", "Set12", 50),
            ("ffdnet_gray", "BSD68", 25), ("ffdnet_color", "Set5", 25),
        ])
    func `a set with the specified noise gives the measured figures of each image`(
        _ model: String, _ dataset: String, _ sigma: Int
    ) throws {
        let root = try #require(Self.folder)
        let expected = try Self.reference(model, dataset, sigma)
        let plan = try DenoisingPlan(
            inputs: (0..<2).map { joinPath(root, "\(dataset)/\(expected[$0]["file"]?.string ?? "")") },
            options: .init(out: nil))
        var run = DenoisingRun(
            plan,
            try ImageDenoiser(DenoisingModel(path: joinPath(root, "models/\(model).safetensors")), sigma: nil)
        )
        run.addedSigma = Double(sigma)
        let images = try #require(run.run { _ in true }.json["images"]?.array)
        #expect(images.count == 2)
        for (found, wanted) in zip(images, expected) {
            let (psnr, ssim) = (try #require(found["psnr"]?.number), try #require(found["ssim"]?.number))
            #expect(abs(psnr - (wanted["psnr"]?.number ?? 0)) < 0.005)
            #expect(abs(ssim - (wanted["ssim"]?.number ?? 0)) < 0.0005)
            let noisy = try #require(found["noisyPSNR"]?.number)
            #expect(abs(noisy - (wanted["noisy_psnr_u8"]?.number ?? 0)) < 0.0005)
        }
    }

    @Test func `a damaged file is reported and the rest goes on`() throws {
        try withTemporaryFolder { folder in
            let model = joinPath(folder, "m.safetensors")
            try TinyDenoiser.write(TinyDenoiser.chain, to: model)
            let input = joinPath(folder, "in")
            try makeFolder(input)
            for name in ["a.png", "c.png"] {
                try ImageDenoiserTests.picture(20, 14, channels: 1).write(to: joinPath(input, name))
            }
            let whole = try bytes(of: joinPath(input, "a.png"))
            try AtomicFile.write(Array(whole.prefix(whole.count / 2)), to: joinPath(input, "b.png"))
            let out = joinPath(folder, "out")
            let plan = try DenoisingPlan(inputs: [input], options: .init(out: out))
            let denoiser = try ImageDenoiser(DenoisingModel(path: model), sigma: nil)
            var bytesDone = 0
            let report = DenoisingRun(plan, denoiser).run {
                if case .progress(let count, _) = $0 { bytesDone += count }
                return true
            }
            #expect(report.entries.map(\.name) == ["a.png", "c.png"])
            #expect(report.failures.map(\.input) == [joinPath(input, "b.png")])
            #expect(try folderContents(out) == ["a.png", "c.png"])
            #expect(bytesDone == plan.items.reduce(0) { $0 + $1.byteCount })
            // Nothing is replaced, inputs least of all.
            for target in [out, input] {
                #expect(throws: DenoisingError.self) {
                    try DenoisingPlan(inputs: [input], options: .init(out: target))
                }
            }
        }
    }
}
