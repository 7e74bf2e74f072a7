import Checkpoints
import Metrics

// The definitions of PSNR and SSIM that restoration papers use, which do not agree with one another.
extension DenoiseVerification {
    static func fidelity(_ fixture: Fixture) throws -> VerificationResult {
        var comparisons = MetricsComparisons(fixture)
        let names = Set(
            fixture.inputs.compactMap { $0.name.hasSuffix("_a") ? String($0.name.dropLast(2)) : nil })
        for name in names.sorted() where name != "float" {
            let (a, b) = (try grid(fixture, name + "_a"), try grid(fixture, name + "_b"))
            try bytes(name, a, b, &comparisons)
            if a.channels == 3 { try luma(name, a, b, &comparisons) }
        }
        try floats(fixture, &comparisons)
        if let rounded = fixture.file["input.round"] {
            comparisons.add("round_u8", within: 0, rounded.doubles.map(quantized))
        }
        return comparisons.result
    }

    private static func bytes(
        _ name: String, _ a: PixelGrid, _ b: PixelGrid, _ comparisons: inout MetricsComparisons
    ) throws {
        let (score, similar) = (MetricsComparisons.Tolerance.score, MetricsComparisons.Tolerance.similarity)
        for border in [0, 4] {
            try comparisons.add(
                "\(name).psnr_border\(border)", within: score, try ImageFidelity.psnr(a, b, border: border))
            try comparisons.add(
                "\(name).ssim_gauss_border\(border)", within: similar,
                try ImageFidelity.ssim(a, b, border: border))
        }
        for key in ["basicsr_psnr", "skimage_psnr", "nafnet_psnr_01"] {
            try comparisons.add("\(name).\(key)", within: score, try ImageFidelity.psnr(a, b))
        }
        try comparisons.add("\(name).skimage_ssim_gauss", within: similar, try ImageFidelity.ssim(a, b))
        comparisons.add(
            "\(name).skimage_ssim_uniform7", within: similar, UniformSimilarity.mean(a, b, peak: 255))
        // The original forms the variances from means of squares in single precision, which on flat images loses
        // 255²·2⁻²⁴ beside C₂ = 58.5.
        let singlePrecision = 255 * 255 * 0x1p-24 / 58.5
        for key in ["nafnet_ssim3d_255", "nafnet_ssim3d_01"] {
            try comparisons.add("\(name).\(key)", within: singlePrecision, try ImageFidelity.ssim3D(a, b))
        }
    }

    private static func luma(
        _ name: String, _ a: PixelGrid, _ b: PixelGrid, _ comparisons: inout MetricsComparisons
    ) throws {
        let (x, y) = (a.studioLuma(), b.studioLuma())
        for border in [0, 4] {
            try comparisons.add(
                "\(name).psnr_y_border\(border)", within: MetricsComparisons.Tolerance.singlePrecisionScore,
                try ImageFidelity.psnr(x, y, border: border))
        }
        try comparisons.add(
            "\(name).ssim_y_replicate", within: MetricsComparisons.Tolerance.similarity,
            try ImageFidelity.ssimReplicated(x, y))
    }

    /// Images of floats in 0…1, as they are and as bytes.
    private static func floats(_ fixture: Fixture, _ comparisons: inout MetricsComparisons) throws {
        let (a, b) = (try grid(fixture, "float_a"), try grid(fixture, "float_b"))
        var (x, y) = (a, b)
        x.values = a.values.map(quantized)
        y.values = b.values.map(quantized)
        let score = MetricsComparisons.Tolerance.singlePrecisionScore
        comparisons.add("float.u8", within: 0, x.values)
        try comparisons.add(
            "float.psnr_float_unclipped", within: score, try ImageFidelity.psnr(a, b, peak: 1))
        try comparisons.add("float.psnr_u8", within: score, try ImageFidelity.psnr(x, y))
        try comparisons.add(
            "float.ssim_u8", within: MetricsComparisons.Tolerance.similarity, try ImageFidelity.ssim(x, y))
        for peak in [1, 2] {
            comparisons.add(
                "float.skimage_ssim7_float_L\(peak)", within: MetricsComparisons.Tolerance.similarity,
                UniformSimilarity.mean(a, b, peak: Double(peak)))
        }
    }

    /// Clamped to 0…1, times 255, rounded half to even, in single precision.
    private static func quantized(_ value: Double) -> Double {
        Double((Float(min(max(value, 0), 1)) * 255).rounded(.toNearestOrEven))
    }

    private static func grid(_ fixture: Fixture, _ name: String) throws -> PixelGrid {
        let stored = try fixture.input(name)
        guard stored.shape.count == 2 || stored.shape.count == 3 else {
            throw CheckpointFileError(
                file: fixture.path, tensor: name, problem: "is \(stored.shape), needs an image")
        }
        return PixelGrid(
            height: stored.shape[0], width: stored.shape[1],
            channels: stored.shape.count == 3 ? stored.shape[2] : 1,
            values: stored.doubles)
    }
}

/// scikit-image's default structural similarity: a uniform 7×7 window and sample covariances. No score of this
/// project; here to show what a published number of that definition means.
private enum UniformSimilarity {
    static let size = 7

    /// NaN when the images are smaller than the window or of different sizes.
    static func mean(_ a: PixelGrid, _ b: PixelGrid, peak: Double) -> Double {
        guard min(a.height, a.width) >= size,
            (a.height, a.width, a.channels) == (b.height, b.width, b.channels)
        else { return .nan }
        return (0..<a.channels).reduce(0) { $0 + mean(a.plane($1), b.plane($1), a.height, a.width, peak) }
            / Double(a.channels)
    }

    private static func mean(_ a: [Double], _ b: [Double], _ height: Int, _ width: Int, _ peak: Double)
        -> Double
    {
        let (c1, c2) = (0.0001 * peak * peak, 0.0009 * peak * peak)
        let n = Double(size * size)
        var total = 0.0
        for top in 0...(height - size) {
            for left in 0...(width - size) {
                var (sa, sb, saa, sbb, sab) = (0.0, 0.0, 0.0, 0.0, 0.0)
                for y in top..<top + size {
                    for x in left..<left + size {
                        let (p, q) = (a[y * width + x], b[y * width + x])
                        (sa, sb) = (sa + p, sb + q)
                        (saa, sbb, sab) = (saa + p * p, sbb + q * q, sab + p * q)
                    }
                }
                let (ma, mb) = (sa / n, sb / n)
                let sample = n / (n - 1)
                let (va, vb, cov) = (
                    sample * (saa / n - ma * ma), sample * (sbb / n - mb * mb), sample * (sab / n - ma * mb)
                )
                total += (2 * ma * mb + c1) * (2 * cov + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2))
            }
        }
        return total / Double((height - size + 1) * (width - size + 1))
    }
}
