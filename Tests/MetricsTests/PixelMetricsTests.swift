import Foundation
import Images
import Testing

@testable import Metrics

@Suite struct PixelMetricsTests {
    @Test(arguments: [(8, 8), (7, 9), (12, 5)])
    func `the bins' power adds up to the mean square`(_ height: Int, _ width: Int) {
        let grid = PixelGrid(rgb: randomImages(1, width: width, height: height)[0])
        let spectrum = RadialSpectrum(height: height, width: width)
        #expect(spectrum.binCounts.reduce(0, +) == height * width)
        let total = zip(spectrum.power(of: grid.luma), spectrum.binCounts).reduce(0) {
            $0 + $1.0 * Double($1.1)
        }
        let squares = grid.luma.reduce(0) { $0 + $1 * $1 / (255 * 255) }
        #expect(abs(total / squares - 1) < 1e-12)
    }

    @Test func `the noise that is left is a share of it, and lost detail is none`() throws {
        let clean = PixelGrid(rgb: randomImages(1, width: 8, height: 8)[0])
        var (noisy, half, blurred) = (clean, clean, clean)
        for index in clean.values.indices {
            let noise = index % 2 == 0 ? 10.0 : -10
            noisy.values[index] += noise
            half.values[index] += noise / 2
            // Wrong in a pattern that has nothing of the noise's.
            blurred.values[index] += index / 2 % 2 == 0 ? 5 : -5
        }
        func left(_ restored: PixelGrid) throws -> Double? {
            try ImageFidelity.retainedNoise(restored: restored, noisy: noisy, clean: clean)
        }
        #expect(try left(noisy) == 1)
        #expect(try left(clean) == 0)
        #expect(abs(try #require(try left(half)) - 0.5) < 1e-12)
        #expect(abs(try #require(try left(blurred))) < 1e-12)
        #expect(try ImageFidelity.retainedNoise(restored: clean, noisy: clean, clean: clean) == nil)
    }

    @Test func `a checkerboard lands in the last bin`() {
        let spectrum = RadialSpectrum(height: 16, width: 16)
        let board = (0..<256).map { index in (index / 16 + index % 16) % 2 == 0 ? 0.0 : 255.0 }
        let power = spectrum.power(of: board)
        #expect(power.dropFirst().max() == power.last)
    }

    @Test func `spectra of other sizes are refused`() throws {
        let images = randomImages(1) + randomImages(1, width: 24)
        #expect(throws: MetricError.self) { try SpectralStatistics(of: images.map(PixelGrid.init(rgb:))) }
    }

    @Test func `a Haar level keeps the energy`() {
        let grid = PixelGrid(rgb: randomImages(1, width: 6, height: 10)[0])
        let plane = grid.layer(1)
        func energy(_ values: [Double]) -> Double { values.reduce(0) { $0 + $1 * $1 } }
        let bands = plane.haar()
        #expect(bands.allSatisfy { $0.height == 5 && $0.width == 3 })
        #expect(abs(bands.map { energy($0.values) }.reduce(0, +) / energy(plane.values) - 1) < 1e-12)
    }

    @Test func `grey images have wavelet moduli in luma only`() {
        let features = WaveletModulus.features(of: PixelGrid(rgb: randomImages(1, channels: 1)[0]))
        #expect(features.count == WaveletModulus.dimensions)
        #expect(features[16] < 1e-9 && features[17] < 1e-9)
        #expect(features[0] > 0)
    }

    @Test func `packets need divisible sides`() {
        let error = #expect(throws: MetricError.self) {
            try WaveletPacketDistance(level: 3).packets(of: PixelGrid(rgb: randomImages(1, width: 20)[0]))
        }
        #expect(error?.description.contains("divisible by 8, not 32×20") == true)
        #expect(
            WaveletPacketDistance(level: 2).packetNames.prefix(6) == ["aa", "ah", "av", "ad", "ha", "hh"])
    }

    @Test func `an image equals itself, and a black pair too`() throws {
        let image = PixelGrid(rgb: randomImages(1, width: 21, height: 17)[0])
        let black = PixelGrid(height: 12, width: 12, channels: 1, values: [Double](repeating: 0, count: 144))
        for grid in [image, black] {
            #expect(try ImageFidelity.psnr(grid, grid) == .infinity)
            #expect(try abs(ImageFidelity.ssim(grid, grid) - 1) < 1e-12)
            #expect(try abs(ImageFidelity.ssim3D(grid, grid) - 1) < 1e-12)
        }
    }

    @Test func `sizes that do not fit are named`() {
        let (a, b) = (randomImages(1), randomImages(1, width: 31))
        let error = #expect(throws: MetricError.self) {
            try ImageFidelity.psnr(PixelGrid(rgb: a[0]), PixelGrid(rgb: b[0]))
        }
        #expect(error?.description == "PSNR needs two images of one size, not 32×32×3 and 31×32×3.")
        let small = #expect(throws: MetricError.self) {
            try ImageFidelity.multiScaleSSIM(PixelGrid(rgb: a[0]), PixelGrid(rgb: a[0]))
        }
        #expect(small?.description.contains("at least 161 pixels") == true)
    }
}
