import Foundation
import Tensors

/// Spectra of a set of images of one size: the mean power per frequency, and the statistics of the logarithms.
public struct SpectralStatistics: Sendable {
    public let spectrum: RadialSpectrum
    public private(set) var count = 0
    private var lumaPower: [Double]
    private var logFeatures: StatisticsAccumulator

    /// - Parameter channels: 3 for RGB, 1 for grey; the log-spectra of all channels are taken together.
    public init(height: Int, width: Int, channels: Int) {
        spectrum = RadialSpectrum(height: height, width: width)
        lumaPower = [Double](repeating: 0, count: spectrum.binCount)
        logFeatures = StatisticsAccumulator(dimensions: channels * (spectrum.binCount - 1))
    }

    /// Statistics of all images of a list, which have one size.
    public init(of images: [PixelGrid]) throws {
        guard let first = images.first else { throw MetricError("no images to take a spectrum of.") }
        self.init(height: first.height, width: first.width, channels: first.channels)
        for image in images { try add(image) }
    }

    /// - Throws: `MetricError` when the image has another size.
    public mutating func add(_ image: PixelGrid) throws { try add(Self.measure(image, spectrum)) }

    /// The luma power and the log-feature of one image; the part of `add` that can run beside others.
    public static func measure(
        _ image: PixelGrid, _ spectrum: RadialSpectrum
    ) throws -> (lumaPower: [Double], logFeature: [Double]) {
        guard image.height == spectrum.height, image.width == spectrum.width else {
            throw MetricError(
                "spectra need images of one size: \(image.height)×\(image.width) among "
                    + "\(spectrum.height)×\(spectrum.width). Resize the set first.")
        }
        let feature = (0..<image.channels).flatMap { channel in
            spectrum.logFeature(power: spectrum.power(of: image.plane(channel)))
        }
        return (spectrum.power(of: image.luma), feature)
    }

    mutating func add(_ measured: (lumaPower: [Double], logFeature: [Double])) {
        for bin in 0..<lumaPower.count { lumaPower[bin] += measured.lumaPower[bin] }
        logFeatures.add(row: measured.logFeature)
        count += 1
    }

    /// Mean luma power per bin.
    public var meanPower: [Double] { lumaPower.map { $0 / Double(max(1, count)) } }

    /// Mean luma power per bin in decibels, quantisation noise added, without the mean's bin.
    public var decibels: [Double] { spectrum.logFeature(power: meanPower).map { 10 * $0 } }

    /// Statistics of the per-image log-spectra.
    public func featureStatistics(name: String) throws -> FeatureStatistics {
        try logFeatures.statistics(name: name)
    }
}

/// How two sets differ per spatial frequency.
public struct SpectralDistance: Sendable {
    /// Samples minus reference in dB for bins 1, 2, …: negative where the samples lack detail.
    public let perBin: [Double]
    /// Root mean square of `perBin`: the log-spectral distance in dB.
    public let logSpectral: Double
    /// Mean magnitude of `perBin` in dB.
    public let meanMagnitude: Double

    public init(_ samples: SpectralStatistics, reference: SpectralStatistics) throws {
        guard samples.spectrum.height == reference.spectrum.height,
            samples.spectrum.width == reference.spectrum.width
        else { throw MetricError("spectra of different image sizes cannot be compared; resize one set.") }
        perBin = zip(samples.decibels, reference.decibels).map { $0 - $1 }
        let count = Double(max(1, perBin.count))
        logSpectral = (perBin.reduce(0) { $0 + $1 * $1 } / count).squareRoot()
        meanMagnitude = perBin.reduce(0) { $0 + abs($1) } / count
    }

    /// The Fréchet distance of per-image log-spectra.
    public static func frechet(
        _ samples: SpectralStatistics, reference: SpectralStatistics
    ) throws -> FrechetDistance.Value {
        try FrechetDistance.between(
            samples.featureStatistics(name: "samples' spectra"),
            reference.featureStatistics(name: "reference spectra"))
    }
}
