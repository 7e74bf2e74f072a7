import Archives
import Autoregression
import Images
import Layers
import Recipes
import TestSupport
import Testing

@Suite struct SpectrumTests {
    /// A grey ramp with one bright pixel.
    private func write(_ width: Int, _ height: Int, to folder: String) throws -> String {
        var samples = (0..<width * height).map { UInt8(($0 % width) * 255 / max(1, width - 1)) }
        samples[samples.count / 2] = 255
        let path = joinPath(folder, "ramp.png")
        try Image(width: width, height: height, channels: 1, samples: samples).write(to: path)
        return path
    }

    @Test(arguments: [(16, 16), (15, 9), (1, 7)]) func `the last level is the image itself`(
        _ width: Int, _ height: Int
    ) throws {
        try withTemporaryFolder { folder in
            let analysis = try SpectrumAnalysis(path: try write(width, height, to: folder))
            #expect(analysis.levels.last?.grid == Grid(height, width))
            #expect(analysis.levels.last?.psnr == .infinity)
            let detail = analysis.levels.compactMap(\.share).reduce(0, +)
            #expect(abs(detail - 1) < 1e-9)
            #expect(analysis.levels.map(\.coefficients).reduce(0, +) == Double(width * height))
            #expect(analysis.picture().width >= analysis.levels.count * width)
            #expect(analysis.json["levels"]?.array?.count == analysis.levels.count)
        }
    }

    @Test func `grids that do not fit are refused and the image's size is added`() throws {
        try withTemporaryFolder { folder in
            let path = try write(12, 8, to: folder)
            #expect(throws: PyramidMismatch.self) { try SpectrumAnalysis(path: path, grids: [Grid(16)]) }
            let analysis = try SpectrumAnalysis(path: path, grids: [Grid(2)], basis: .fourier)
            #expect(analysis.levels.map(\.grid) == [Grid(2), Grid(8, 12)])
        }
    }
}
