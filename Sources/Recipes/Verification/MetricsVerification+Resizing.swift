import Checkpoints
import Images
import Metrics
import Tensors

// Resizing rules, as the packages that feature networks come with define them.
extension MetricsVerification {
    static func resizing(_ fixture: Fixture) throws -> MetricsComparisons {
        var comparisons = MetricsComparisons(fixture)
        let grid = try fixture.image("input.image")
        for (name, rest) in comparisons.outputs("pil") {
            // `_u8.lanczos`, `13_f32.box`: the order of Pillow 13 differs where it is stored.
            let order: ResizeOrder = rest.hasPrefix("13") ? .pillow13 : .horizontalFirst
            let parts = rest.split(separator: ".")
            guard parts.count == 2, let filter = ResizeFilter(rawValue: String(parts[1])) else { continue }
            let size = try outputSize(fixture, name)
            if parts[0].hasSuffix("u8") {
                let image = Image(
                    width: grid.width, height: grid.height, channels: grid.channels,
                    samples: grid.values.map { UInt8($0) })
                let resized = image.resized(
                    width: size.width, height: size.height, filter: filter, order: order)
                comparisons.add(
                    name, within: 0, planar(resized.bytes.map(Double.init), channels: grid.channels))
            } else {
                let resized = tensor(grid).resampled(
                    height: size.height, width: size.width, filter: filter, order: order)
                add(name, resized, pixelError: 2e-5, to: &comparisons)
            }
        }
        for (name, rule) in interpolations where fixture.file["output." + name] != nil {
            let size = try outputSize(fixture, name)
            let resized = tensor(grid).interpolated(height: size.height, width: size.width, rule)
            add(name, resized, pixelError: 2e-4, to: &comparisons)
        }
        return comparisons
    }

    private static let interpolations: [(String, Interpolation)] = [
        ("tf1.bilinear", .tensorFlow1), ("torch.nearest", .nearest), ("torch.bilinear", .bilinear),
        ("torch.bicubic", .bicubic), ("torch.area", .area), ("torch.bilinear_ac", .bilinearAligned),
        ("torch.bilinear_aa", .bilinearAntialiased), ("torch.bicubic_aa", .bicubicAntialiased),
    ]

    /// The inputs of the FID network, 299×299, of its three modes; one channel as grey.
    static func networkResizing(_ fixture: Fixture) throws -> MetricsComparisons {
        var comparisons = MetricsComparisons(fixture)
        let image = try fixture.image("input.image")
        add("clean_299", InceptionMode.clean.resized(image), pixelError: 2e-5, to: &comparisons)
        let pillow13 = InceptionMode.clean.resized(image, order: .pillow13)
        add("clean13_299", pillow13, pixelError: 2e-5, to: &comparisons)
        add("tf1_299", InceptionMode.tensorFlow1.resized(image), pixelError: 2e-4, to: &comparisons)
        add(
            "torch_299_unit", InceptionMode.pytorchFID.resized(image), pixelError: 2e-4 / 255,
            to: &comparisons)
        return comparisons
    }

    /// Compares an image `[H, W, C]` with a stored `[C, H, W]`; the tolerance is of a pixel's value, absolute.
    private static func add(
        _ name: String, _ image: Tensor, pixelError: Double, to comparisons: inout MetricsComparisons
    ) {
        guard let expected = comparisons.fixture.file["output." + name]?.doubles, !expected.isEmpty else {
            return
        }
        let rms = (expected.reduce(0) { $0 + $1 * $1 } / Double(expected.count)).squareRoot()
        comparisons.add(
            name, within: rms > 0 ? pixelError / rms : pixelError,
            planar(image.scalars.map(Double.init), channels: image.shape[2]))
    }

    private static func outputSize(_ fixture: Fixture, _ name: String) throws -> (height: Int, width: Int) {
        let shape = try fixture.output(name).shape
        guard shape.count >= 2 else {
            throw CheckpointFileError(
                file: fixture.path, tensor: "output." + name, problem: "is \(shape), needs [C, H, W]")
        }
        return (shape[shape.count - 2], shape[shape.count - 1])
    }

    private static func tensor(_ grid: PixelGrid) -> Tensor {
        Tensor(shape: [grid.height, grid.width, grid.channels], scalars: grid.values.map { Float($0) })
    }

    /// `[H, W, C]` in the order `[C, H, W]`.
    static func planar(_ values: [Double], channels: Int) -> [Double] {
        let size = values.count / channels
        return (0..<values.count).map { values[$0 % size * channels + $0 / size] }
    }
}
