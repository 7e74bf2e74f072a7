import Archives
import Checkpoints
import Metrics
import Tensors

// Metrics that look at pixels.
extension MetricsVerification {
    private typealias Tolerance = MetricsComparisons.Tolerance

    static func featNet(_ fixture: Fixture) throws -> MetricsComparisons {
        var comparisons = MetricsComparisons(fixture)
        let network = try network(from: fixture)
        let images = try fixture.images("input.images")
        let batch = Tensor(
            shape: [images.count, images[0].height, images[0].width, 3],
            scalars: images.flatMap { $0.values.map { Float($0) / 127.5 - 1 } })
        let taps = network.taps(batch)
        for (index, tap) in taps.enumerated() {
            comparisons.add("tap\(index)_mean", within: Tolerance.features, tap.scalars.map(Double.init))
        }
        comparisons.add("features", within: Tolerance.features, network.features(of: images).values)
        if let last = taps.last {
            comparisons.add(
                "logits", within: Tolerance.features, network.logits(features: last).scalars.map(Double.init))
        }
        return comparisons
    }

    private static func network(from fixture: Fixture) throws -> FeatNet {
        try FeatNet(fixture.file, prefix: "param.")
    }

    static func waveletModulus(_ fixture: Fixture) throws -> MetricsComparisons {
        var comparisons = MetricsComparisons(fixture)
        let reference = try waveletFeatures(fixture.images("input.reference"))
        let generated = try waveletFeatures(fixture.images("input.generated"))
        comparisons.add("features_reference", within: Tolerance.score, reference.values)
        comparisons.add("features_generated", within: Tolerance.score, generated.values)
        let statistics = try FeatureStatistics(of: reference, name: "reference")
        comparisons.add(
            "reference_std", within: Tolerance.score, WaveletModulus.scale(reference: statistics))
        try comparisons.add(
            "fd_raw", within: Tolerance.score, try FrechetDistance.between(generated, reference).distance)
        try comparisons.add(
            "fd_standardised", within: Tolerance.score,
            try WaveletModulus.distance(
                FeatureStatistics(of: generated, name: "samples"), reference: statistics
            ).distance)
        return comparisons
    }

    private static func waveletFeatures(_ images: [PixelGrid]) throws -> Matrix {
        let rows = try ComputeThreads.map(images) { image in
            WaveletModulus.features(
                of: image.resized(height: WaveletModulus.side, width: WaveletModulus.side))
        }
        return Matrix(
            rows: rows.count, columns: WaveletModulus.dimensions, values: rows.flatMap { $0 })
    }

    static func waveletPackets(_ fixture: Fixture) throws -> MetricsComparisons {
        var comparisons = MetricsComparisons(fixture)
        let transform = WaveletPacketDistance(
            level: try fixture.integer("level"), usesLogMagnitude: fixture.config["log_scale"]?.bool ?? false)
        let sets = ["a": try fixture.images("input.a"), "b": try fixture.images("input.b")]
        for (name, images) in sets.sorted(by: { $0.key < $1.key }) {
            let stored = fixture.file["output.\(name).packets_first2"]?.shape.first ?? 0
            let first = try images.prefix(stored).map(transform.packets)
            comparisons.add(
                "\(name).packets_first2", within: Tolerance.score, first.flatMap { $0.flatMap { $0 } })
            let means = try transform.features(of: images).map { try FeatureStatistics(of: $0).mean }
            comparisons.add("\(name).mu", within: Tolerance.score, means.flatMap { $0 })
        }
        let distances = try transform.distances(sets["b"] ?? [], reference: sets["a"] ?? [])
        comparisons.add("packet_fd", within: Tolerance.score, distances.perPacket)
        comparisons.add("fwd", within: Tolerance.score, distances.mean)
        return comparisons
    }

    static func spectra(_ fixture: Fixture) throws -> MetricsComparisons {
        var comparisons = MetricsComparisons(fixture)
        let sets = (try fixture.images("input.a"), try fixture.images("input.b"))
        let spectrum = RadialSpectrum(height: sets.0[0].height, width: sets.0[0].width)
        comparisons.add("bin_count", within: Tolerance.exact, spectrum.binCounts.map(Double.init))
        for (name, images) in [("a", sets.0), ("b", sets.1)] {
            let planes = images.map(\.luma)
            comparisons.add("\(name).gray", within: Tolerance.score, planes.flatMap { $0.map { $0 / 255 } })
            comparisons.add(
                "\(name).fft_abs2_first", within: Tolerance.score, spectrum.squaredMagnitudes(of: planes[0]))
            let powers = planes.map(spectrum.power)
            comparisons.add("\(name).radial_psd", within: Tolerance.score, powers.flatMap { $0 })
            comparisons.add(
                "\(name).log10_psd_feature", within: Tolerance.score, powers.flatMap(spectrum.logFeature))
            let profiles = planes.map(spectrum.upconvProfile)
            comparisons.add("\(name).upconv_raw", within: Tolerance.score, profiles.flatMap(\.raw))
            comparisons.add("\(name).upconv_norm", within: Tolerance.score, profiles.flatMap(\.normalised))
        }
        let statistics = (try SpectralStatistics(of: sets.0), try SpectralStatistics(of: sets.1))
        let distance = try SpectralDistance(statistics.0, reference: statistics.1)
        comparisons.add("log_spectral_distance_db", within: Tolerance.score, distance.logSpectral)
        comparisons.add("spectral_mean_abs_db", within: Tolerance.score, distance.meanMagnitude)
        // These cases take the distance of luma spectra; the report's is of all channels.
        func lumaFeatures(_ images: [PixelGrid]) -> Matrix {
            let features = images.map { spectrum.logFeature(power: spectrum.power(of: $0.luma)) }
            return Matrix(
                rows: features.count, columns: spectrum.binCount - 1, values: features.flatMap { $0 })
        }
        try comparisons.add(
            "spectral_frechet", within: Tolerance.score,
            try FrechetDistance.between(lumaFeatures(sets.0), lumaFeatures(sets.1)).distance)
        return comparisons
    }

    static func imageFidelity(_ fixture: Fixture) throws -> MetricsComparisons {
        var comparisons = MetricsComparisons(fixture)
        let (a, b) = (try fixture.images("input.a")[0], try fixture.images("input.b")[0])
        for (name, rest) in comparisons.outputs("kair.psnr.border") {
            guard let border = Int(rest) else { continue }
            try comparisons.add(name, within: Tolerance.score, try ImageFidelity.psnr(a, b, border: border))
        }
        for (name, rest) in comparisons.outputs("kair.ssim.border") {
            guard let border = Int(rest) else { continue }
            try comparisons.add(
                name, within: Tolerance.similarity, try ImageFidelity.ssim(a, b, border: border))
        }
        for name in ["nafnet.psnr", "skimage.psnr", "unit.nafnet.psnr"] {
            try comparisons.add(name, within: Tolerance.score, try ImageFidelity.psnr(a, b))
        }
        for name in ["nafnet.ssim_ssim3d_false", "skimage.ssim_gauss"]
            + [
                "msssim_pkg.ssim.f32", "msssim_pkg.ssim.f64", "msssim_pkg.ssim_unit.f32",
                "msssim_pkg.ssim_unit.f64",
            ]
        {
            try comparisons.add(name, within: Tolerance.similarity, try ImageFidelity.ssim(a, b))
        }
        try comparisons.add(
            "msssim_pkg.per_channel_f64", within: Tolerance.similarity, try ImageFidelity.ssimPerChannel(a, b)
        )
        for name in ["nafnet.ssim3d", "unit.nafnet.ssim3d"] {
            try comparisons.add(name, within: Tolerance.similarity, try ImageFidelity.ssim3D(a, b))
        }
        for name in ["msssim_pkg.ms_ssim.f32", "msssim_pkg.ms_ssim.f64"] {
            try comparisons.add(name, within: Tolerance.similarity, try ImageFidelity.multiScaleSSIM(a, b))
        }
        if a.channels == 3 { try lumaFidelity(a, b, &comparisons) }
        return comparisons
    }

    private static func lumaFidelity(
        _ a: PixelGrid, _ b: PixelGrid, _ comparisons: inout MetricsComparisons
    ) throws {
        let rounded = (a.studioLuma(isRounded: true), b.studioLuma(isRounded: true))
        comparisons.add("kair.y", within: Tolerance.exact, rounded.0.values)
        try comparisons.add(
            "kair.psnr_y", within: Tolerance.score, try ImageFidelity.psnr(rounded.0, rounded.1))
        let luma = (a.studioLuma(isBGR: true), b.studioLuma(isBGR: true))
        // The reference converts in single precision.
        try comparisons.add(
            "nafnet.psnr_y_bgr", within: Tolerance.singlePrecisionScore,
            try ImageFidelity.psnr(luma.0, luma.1))
        try comparisons.add(
            "nafnet.ssim_y_bgr", within: Tolerance.similarity,
            try ImageFidelity.ssimReplicated(luma.0, luma.1))
    }

    /// Every number of the default report for several sample sets against one reference set.
    static func defaultReport(_ fixture: Fixture) throws -> MetricsComparisons {
        var comparisons = MetricsComparisons(fixture)
        let network = try neighbouringNetwork(of: fixture)
        let reference = try fixture.images("input.reference")
        let features = network.map { $0.features(of: reference) }
        let wavelets = try FeatureStatistics(of: waveletFeatures(reference), name: "reference")
        let spectra = try SpectralStatistics(of: reference)
        for stored in fixture.inputs where stored.name != "reference" {
            let name = stored.name
            let images = try fixture.images("input." + name)
            if let network, let features {
                try compareFeatures(network.features(of: images), features, name, &comparisons)
            }
            try comparisons.add(
                "\(name).fd_wm", within: Tolerance.score,
                try WaveletModulus.distance(
                    FeatureStatistics(of: waveletFeatures(images), name: name), reference: wavelets
                ).distance)
            try comparisons.add(
                "\(name).fwd_haar_l3", within: Tolerance.score,
                try WaveletPacketDistance(level: 3).distances(images, reference: reference).mean)
            let own = try SpectralStatistics(of: images)
            comparisons.add("\(name).mean_psd_luma", within: Tolerance.score, own.meanPower)
            try comparisons.add(
                "\(name).lsd_db", within: Tolerance.score,
                try SpectralDistance(own, reference: spectra).logSpectral)
            try comparisons.add(
                "\(name).spectral_fd", within: Tolerance.score,
                try SpectralDistance.frechet(own, reference: spectra).distance)
        }
        return comparisons
    }

    private static func compareFeatures(
        _ samples: Matrix, _ reference: Matrix, _ name: String, _ comparisons: inout MetricsComparisons
    ) throws {
        // Features agree within 2e-5, so scores made of them cannot agree better.
        let tolerance = Tolerance.features
        try comparisons.add(
            "\(name).fd_feat", within: tolerance,
            try FrechetDistance.between(
                FeatureStatistics(of: samples), FeatureStatistics(of: reference)
            ).distance)
        try comparisons.add(
            "\(name).kid_feat", within: tolerance, try KernelDistance.squaredDiscrepancy(samples, reference))
        let own = try Manifold(samples, largestK: 5, name: name)
        let real = try Manifold(reference, largestK: 5, name: "reference")
        let three = try ManifoldMetrics(samples: own, reference: real, k: 3, strict: true)
        let five = try ManifoldMetrics(samples: own, reference: real, k: 5, strict: true)
        comparisons.add("\(name).precision_k3_strict", within: tolerance, three.precision)
        comparisons.add("\(name).recall_k3_strict", within: tolerance, three.recall)
        comparisons.add("\(name).density_k5_strict", within: tolerance, five.density)
        comparisons.add("\(name).coverage_k5_strict", within: tolerance, five.coverage)
        let nearest = try Neighbours.nearest(of: samples, in: reference).compactMap(\.first)
        comparisons.add("\(name).nn_dist", within: tolerance, nearest.map(\.distance))
        comparisons.add("\(name).nn_index", within: 0, nearest.map { Double($0.index) })
    }

    /// FeatNet's weights, which such a case names but does not hold: from the case beside it.
    private static func neighbouringNetwork(of fixture: Fixture) throws -> FeatNet? {
        let path = joinPath(splitPath(fixture.path).folder, "featnet_cifar10.safetensors")
        guard fileExists(path) else { return nil }
        return try network(from: Fixture(path: path))
    }
}
