import Archives
import Backbones
import Checkpoints
import Denoising
import Images
import Layers
import Metrics
import Tensors
import TestSupport
import Testing

/// Published weights on real images with the specified noise, against figures measured with the original code.
@Suite struct PublishedDenoisersTests {
    static let folder = TestData.data.map { joinPath($0, "denoise") }
    static let isPresent = folder.map { fileExists(joinPath($0, "reference_results.json")) } ?? false

    struct Run: Sendable, CustomStringConvertible {
        let model: String
        let dataset: String
        let sigma: Double
        let realisation: Int
        let file: String
        let psnr: Double
        let noisyPSNR: Double

        var description: String { "\(model) on \(dataset)/\(file), σ \(sigma)" }
    }

    /// The first image of every run that uses the specified noise.
    static func runs() throws -> [Run] {
        guard let folder, isPresent else { return [] }
        let bytes = try MappedFile(path: joinPath(folder, "reference_results.json")).slice
        let runs = try bytes.withBytes { try JSONValue(parsing: $0) }["runs"]?.array ?? []
        return runs.compactMap { run in
            guard run["noise"]?.string == "sm64", let model = run["model"]?.string,
                let dataset = run["dataset"]?.string, let sigma = run["sigma"]?.number,
                let stream = run["stream"]?.integer, let image = run["images"]?[0],
                let file = image["file"]?.string, let psnr = image["psnr"]?.number,
                let noisy = image["noisy_psnr_u8"]?.number
            else { return nil }
            return Run(
                model: model, dataset: dataset, sigma: sigma, realisation: stream, file: file, psnr: psnr,
                noisyPSNR: noisy)
        }
    }

    @Test(.enabled(if: isPresent), arguments: try PublishedDenoisersTests.runs())
    func `gives the measured PSNR within 0.005 dB`(_ run: Run) throws {
        let folder = try #require(Self.folder)
        let image = try Image(path: joinPath(folder, "\(run.dataset)/\(run.file)"))
        guard case .eightBit(let bytes) = image.samples else {
            Issue.record("\(run.file) has not 8 bits")
            return
        }
        let (h, w, c) = (image.height, image.width, image.channels)
        let noisy = CounterNoise(realisation: run.realisation, image: 0).noisy(
            bytes: bytes, height: h, width: w, channels: c, sigma: run.sigma)

        let stored = try WeightsFile.read(path: joinPath(folder, "models/\(run.model).safetensors"))
        let network = try RestorationNetwork(
            inferredFrom: Dictionary(uniqueKeysWithValues: stored.map { ($0.name, Shape($0.shape)) }))
        let store = ParameterStore(
            .loaded(Dictionary(uniqueKeysWithValues: stored.map { ($0.name, $0.tensor) })), isTracked: false)
        let restorer = network.makeRestorer(store.scope)
        try store.validate()
        let restored = restorer.restore(noisy, RestorationCondition(sigma: Float(run.sigma)))

        let clean = PixelGrid(height: h, width: w, channels: c, bytes: bytes)
        func grid(_ x: Tensor) -> PixelGrid {
            PixelGrid(
                height: h, width: w, channels: c,
                values: x.scalars.map { Double((min(max($0, 0), 1) * 255).rounded(.toNearestOrEven)) })
        }
        #expect(abs(try ImageFidelity.psnr(grid(noisy), clean) - run.noisyPSNR) < 0.0005)
        #expect(abs(try ImageFidelity.psnr(grid(restored), clean) - run.psnr) < 0.005)
    }
}
