/// What has to be measured of a set of images.
public struct MeasurementNeeds: OptionSet, Sendable, Hashable {
    public let rawValue: Int
    public init(rawValue: Int) { self.rawValue = rawValue }

    public static let featNet = MeasurementNeeds(rawValue: 1)
    public static let waveletModulus = MeasurementNeeds(rawValue: 2)
    public static let spectra = MeasurementNeeds(rawValue: 4)
    public static let waveletPackets = MeasurementNeeds(rawValue: 8)
    /// Mean and covariance of the FID network's 2048 features.
    public static let inception = MeasurementNeeds(rawValue: 16)
    public static let inceptionSpatial = MeasurementNeeds(rawValue: 32)
    public static let inceptionRows = MeasurementNeeds(rawValue: 64)
    public static let inceptionLogits = MeasurementNeeds(rawValue: 128)

    public static let anyInception: MeasurementNeeds = [
        .inception, .inceptionSpatial, .inceptionRows, .inceptionLogits,
    ]
}

/// A score of a sample set, by its name on the command line.
public struct Metric: Sendable, Hashable {
    public let name: String
    public let needs: MeasurementNeeds
    /// How it is computed, in a line.
    public let method: String

    private init(_ name: String, _ needs: MeasurementNeeds, _ method: String) {
        (self.name, self.needs, self.method) = (name, needs, method)
    }

    /// All of them, in the order of the report.
    public static let all: [Metric] = [
        Metric("fid", .inception, "Fréchet distance of Inception features (2048)"),
        Metric(
            "sfid", [.inception, .inceptionSpatial], "Fréchet distance of spatial Inception features (2023)"),
        Metric(
            "fid-inf", [.inception, .inceptionRows],
            "FID extrapolated to infinitely many samples, 15 sizes"),
        Metric(
            "kid", [.inception, .inceptionRows],
            "unbiased MMD² of Inception features, cubic kernel, 100 subsets of at most 1000, seed 2020"),
        Metric(
            "kid-full", [.inception, .inceptionRows],
            "unbiased MMD² of Inception features, cubic kernel, all images"),
        Metric(
            "is", [.inception, .inceptionLogits],
            "Inception Score, 1008 logits without bias, shuffled by seed 2020, 10 splits"),
        Metric("precision-fid", [.inception, .inceptionRows], "k = 3, Inception features"),
        Metric("recall-fid", [.inception, .inceptionRows], "k = 3, Inception features"),
        Metric("density-fid", [.inception, .inceptionRows], "k = 5, Inception features"),
        Metric("coverage-fid", [.inception, .inceptionRows], "k = 5, Inception features"),
        Metric("fd-feat", .featNet, "Fréchet distance of FeatNet-32 features (128)"),
        Metric(
            "fd-wm", .waveletModulus,
            "Fréchet distance of standardised wavelet-modulus features (264), floor 0.02"),
        Metric("fd-feat-inf", .featNet, "fd-feat extrapolated to infinitely many samples, 15 sizes"),
        Metric("kid-feat", .featNet, "unbiased MMD² of FeatNet-32 features, cubic kernel, all images"),
        Metric("cmmd-feat", .featNet, "1000 · MMD² of FeatNet-32 unit vectors, Gaussian kernel σ = 10"),
        Metric("precision", .featNet, "k = 3, FeatNet-32 features"),
        Metric("recall", .featNet, "k = 3, FeatNet-32 features"),
        Metric("density", .featNet, "k = 5, FeatNet-32 features"),
        Metric("coverage", .featNet, "k = 5, FeatNet-32 features"),
        Metric("realism", .featNet, "mean realism, k = 3, FeatNet-32 features"),
        Metric("lsd", .spectra, "log-spectral distance of mean luma spectra, dB"),
        Metric("spectral-fd", .spectra, "Fréchet distance of log-spectra of R, G, B"),
        Metric("fwd", .waveletPackets, "Fréchet wavelet distance, Haar packets"),
        Metric(
            "nn-ratio", .featNet,
            "median distance to the nearest reference image over the same between reference images"),
        Metric("authpct", .featNet, "per cent of authentic samples, FeatNet-32 features; copies give 0"),
        Metric(
            "ct", .featNet,
            "copying score against held-out images, 3 cells of 64 principal components; far below 0 is copying"
        ),
        Metric("vendi", .featNet, "effective number of different samples, FeatNet-32 unit vectors"),
    ]

    /// What is computed when nothing is asked for.
    public static let standard = [
        "fd-feat", "fd-wm", "kid-feat", "precision", "recall", "density", "coverage", "lsd", "spectral-fd",
        "nn-ratio",
    ].compactMap(named)

    /// Names that stand for several.
    public static let groups: [String: [String]] = [
        "prdc": ["precision", "recall", "density", "coverage"],
        "prdc-fid": ["precision-fid", "recall-fid", "density-fid", "coverage-fid"],
        "spectrum": ["lsd", "spectral-fd"],
        "memorisation": ["nn-ratio", "authpct", "ct"],
        "inception": all.filter { !$0.needs.isDisjoint(with: .anyInception) }.map(\.name),
        "default": standard.map(\.name),
    ]

    public static func named(_ name: String) -> Metric? { all.first { $0.name == name } }

    public var needsInception: Bool { !needs.isDisjoint(with: .anyInception) }
    public var needsFeatNet: Bool { needs.contains(.featNet) }
}
