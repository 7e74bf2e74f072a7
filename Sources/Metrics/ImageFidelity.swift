import Foundation

/// Full-reference quality of one image against another of its size.
///
/// The peak value L is always given: guessing it from the samples turns a black image's score upside down.
public enum ImageFidelity {
    /// Peak signal-to-noise ratio in dB over all pixels and channels; infinite for equal images. Report the mean over
    /// images, as the restoration papers do, not the ratio of the mean error.
    /// - Parameter border: pixels left out on every side.
    public static func psnr(_ a: PixelGrid, _ b: PixelGrid, peak: Double = 255, border: Int = 0) throws
        -> Double
    {
        try checkSizes(a, b, smallest: 2 * border + 1, of: "PSNR")
        let (x, y) = (a.cropped(border: border), b.cropped(border: border))
        let error = squaredDistance(x.values, y.values) / Double(x.values.count)
        return error == 0 ? .infinity : 20 * log10(peak / error.squareRoot())
    }

    /// Structural similarity (Wang et al. 2004) as MATLAB, KAIR and BasicSR compute it: 11-tap Gaussian of σ 1.5, only
    /// windows inside the image, mean over space and then over channels.
    public static func ssim(_ a: PixelGrid, _ b: PixelGrid, peak: Double = 255, border: Int = 0) throws
        -> Double
    {
        let perChannel = try ssimPerChannel(a, b, peak: peak, border: border)
        return perChannel.reduce(0, +) / Double(perChannel.count)
    }

    /// `ssim` of every channel.
    public static func ssimPerChannel(
        _ a: PixelGrid, _ b: PixelGrid, peak: Double = 255, border: Int = 0
    ) throws -> [Double] {
        try checkSizes(a, b, smallest: SimilarityWindow.size + 2 * border, of: "SSIM")
        let (x, y) = (a.cropped(border: border), b.cropped(border: border))
        return (0..<x.channels).map { channel in
            SimilarityMaps(x.layer(channel), y.layer(channel), peak: peak, border: .valid).meanSimilarity
        }
    }

    /// The share of the noise that restoring left: the projection of what is wrong with the result on what was wrong with
    /// the noisy image, ⟨restored − clean, noisy − clean⟩ / |noisy − clean|². 1 for the noisy image, 0 for the clean one;
    /// detail that was lost beside the noise does not count, which is what tells it from PSNR.
    /// - Returns: nil for an image without noise.
    /// - Throws: `MetricError` for unequal sizes.
    public static func retainedNoise(restored: PixelGrid, noisy: PixelGrid, clean: PixelGrid) throws
        -> Double?
    {
        try checkSizes(restored, clean, smallest: 1, of: "retained noise")
        try checkSizes(noisy, clean, smallest: 1, of: "retained noise")
        var (product, power) = (0.0, 0.0)
        for index in clean.values.indices {
            let noise = noisy.values[index] - clean.values[index]
            product += (restored.values[index] - clean.values[index]) * noise
            power += noise * noise
        }
        return power > 0 ? product / power : nil
    }

    /// The three-dimensional similarity that NAFNet's tables use: an 11×11×11 Gaussian over height, width and
    /// channels with replicated borders, averaged over the whole image. Much higher than `ssim`; never mix them.
    public static func ssim3D(_ a: PixelGrid, _ b: PixelGrid, peak: Double = 255) throws -> Double {
        try checkSizes(a, b, smallest: 1, of: "3-D SSIM")
        return SimilarityMaps(volume: a, b, peak: peak).meanSimilarity
    }

    /// `ssim` of one plane with replicated borders over the whole image (BasicSR's luma variant).
    public static func ssimReplicated(_ a: PixelGrid, _ b: PixelGrid, peak: Double = 255) throws -> Double {
        try checkSizes(a, b, smallest: 1, of: "SSIM")
        let maps = (0..<a.channels).map {
            SimilarityMaps(a.layer($0), b.layer($0), peak: peak, border: .replicate).meanSimilarity
        }
        return maps.reduce(0, +) / Double(maps.count)
    }

    /// Multi-scale similarity (Wang et al. 2003) over five scales, as VainF/pytorch-msssim computes it.
    public static func multiScaleSSIM(_ a: PixelGrid, _ b: PixelGrid, peak: Double = 255) throws -> Double {
        try checkSizes(a, b, smallest: 161, of: "MS-SSIM")
        let weights = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]
        let perChannel = (0..<a.channels).map { channel -> Double in
            var (x, y) = (a.layer(channel), b.layer(channel))
            var product = 1.0
            for (scale, weight) in weights.enumerated() {
                let maps = SimilarityMaps(x, y, peak: peak, border: .valid)
                let isLast = scale == weights.count - 1
                product *= pow(max(0, isLast ? maps.meanSimilarity : maps.meanContrastStructure), weight)
                (x, y) = (x.halved, y.halved)
            }
            return product
        }
        return perChannel.reduce(0, +) / Double(perChannel.count)
    }

    private static func checkSizes(_ a: PixelGrid, _ b: PixelGrid, smallest: Int, of metric: String) throws {
        guard (a.height, a.width, a.channels) == (b.height, b.width, b.channels) else {
            throw MetricError(
                "\(metric) needs two images of one size, not \(a.width)×\(a.height)×\(a.channels) and "
                    + "\(b.width)×\(b.height)×\(b.channels).")
        }
        guard min(a.height, a.width) >= smallest else {
            throw MetricError(
                "\(metric) needs sides of at least \(smallest) pixels, the image is \(a.width)×\(a.height).")
        }
    }
}

extension PixelGrid {
    func layer(_ channel: Int) -> Plane { Plane(height: height, width: width, values: plane(channel)) }

    /// The luma of BT.601 with foot room, 16…235, from samples 0…255.
    /// - Parameters:
    ///   - isBGR: channel 0 is blue, as images read by OpenCV are.
    ///   - isRounded: to whole numbers, as KAIR does.
    public func studioLuma(isBGR: Bool = false, isRounded: Bool = false) -> PixelGrid {
        let (red, blue) = isBGR ? (2, 0) : (0, 2)
        let luma = (0..<pixelCount).map { pixel -> Double in
            let at = pixel * channels
            let y =
                (65.481 * values[at + red] + 128.553 * values[at + 1] + 24.966 * values[at + blue]) / 255 + 16
            return isRounded ? y.rounded(.toNearestOrEven) : y
        }
        return PixelGrid(height: height, width: width, channels: 1, values: luma)
    }
}
