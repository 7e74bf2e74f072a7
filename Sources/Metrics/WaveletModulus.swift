import Tensors

/// 264 features of a 32×32 RGB image that need no weights: grid means of the magnitudes of Haar coefficients in
/// luma and chroma at four levels, and of the image itself. The Fréchet distance on them, with every feature
/// divided by its deviation in the reference set, is `fd-wm`; it ranks the quality of sample sets of any domain.
public enum WaveletModulus {
    public static let dimensions = 264
    /// Side of the image the features are made of; others are resized first.
    public static let side = 32
    /// Least deviation a feature is divided by. Without it chroma features that are nearly constant in JPEG data
    /// would outweigh everything visible.
    public static let deviationFloor = 0.02

    private static let toLumaChroma = [
        [0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312],
    ]

    /// - Parameter image: 32×32, 3 channels (or 1, taken as grey), 0…255.
    /// - Returns: per level and per band (horizontal, vertical, diagonal): luma over a 4×4 grid (2×2 at level 4),
    ///   both chromas over the whole map (levels 1, 2) or a 2×2 grid (levels 3, 4); then 4×4 means of the planes.
    public static func features(of image: PixelGrid) -> [Double] {
        precondition(
            image.height == side && image.width == side,
            "wavelet-modulus features need 32×32 pixels, not \(image.height)×\(image.width)")
        let planes = lumaChroma(image)
        var features: [Double] = []
        features.reserveCapacity(dimensions)
        var low = planes
        for level in 1...4 {
            let bands = low.map { $0.haar() }
            for band in 1...3 {
                let luma = bands[0][band].magnitudes
                let grid = min(4, luma.height)
                features += luma.gridMeans(grid, grid)
                let chromaGrid = level <= 2 ? 1 : 2
                features += bands[1][band].magnitudes.gridMeans(chromaGrid, chromaGrid)
                features += bands[2][band].magnitudes.gridMeans(chromaGrid, chromaGrid)
            }
            low = bands.map { $0[0] }
        }
        for plane in planes { features += plane.gridMeans(4, 4) }
        return features
    }

    /// What the features are divided by: each feature's population deviation in the reference, floored.
    public static func scale(reference: FeatureStatistics) -> [Double] {
        reference.populationDeviation.map { max($0, deviationFloor) }
    }

    /// `fd-wm`: the Fréchet distance of standardised features.
    public static func distance(
        _ samples: FeatureStatistics, reference: FeatureStatistics
    ) throws -> FrechetDistance.Value {
        let scale = scale(reference: reference)
        return try FrechetDistance.between(samples.divided(by: scale), reference.divided(by: scale))
    }

    private static func lumaChroma(_ image: PixelGrid) -> [Plane] {
        toLumaChroma.map { weights in
            let values = (0..<image.pixelCount).map { pixel -> Double in
                let at = pixel * image.channels
                let (r, g, b) =
                    image.channels >= 3
                    ? (image.values[at], image.values[at + 1], image.values[at + 2])
                    : (image.values[at], image.values[at], image.values[at])
                return (weights[0] * r + weights[1] * g + weights[2] * b) / 255
            }
            return Plane(height: image.height, width: image.width, values: values)
        }
    }
}
