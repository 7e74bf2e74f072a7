import Autoregression
import Checkpoints
import Layers
import Tensors

/// Bands, pyramids, packing and resampling, in double precision.
extension NFIGVerification {
    static func bandShape(_ name: String) throws -> BandShape {
        switch name {
        case "box": .box
        case "radial_tokens": .radialTokens
        case "radial_area": .radialArea
        case "radial_uniform": .radialUniform
        default: throw UnsupportedFixture("the mask \"\(name)\" is not known")
        }
    }

    @Sendable static func verifyBands(_ check: inout NFIGCheck) throws {
        let grids = try check.grids("grids")
        let pyramid = try FrequencyPyramid(
            PyramidConfiguration(grids: grids, bands: bandShape(check.fixture.string("mask"))))
        let x = try check.precise(input: "x")
        try check.require(x.grid == pyramid.finest, "input.x \(x.shape) is not of size \(pyramid.finest)")
        let weights = pyramid.bandWeights ?? []
        try check.output("masks_centred", weights.flatMap(\.centred.values))
        try check.output("bins_per_band", weights.map(\.total))
        if check.hasOutput("sigma"), let radii = pyramid.configuration.bands.radii(grids) {
            try check.output("sigma", radii)
        }
        try check.output("bands", stacked: pyramid.bands(x))
        try check.output("lowpass", stacked: grids.indices.map { pyramid.lowpass(x, level: $0) })
        if check.hasOutput("spectrum_re") {
            let (real, imaginary) = spectrum(x)
            try check.output("spectrum_re", images: real)
            try check.output("spectrum_im", images: imaginary)
        }
        try verifyBandGradient(&check, pyramid, x)
    }

    /// The bands are their own adjoint: the gradient is Σ band_i(cotangent_i).
    private static func verifyBandGradient(
        _ check: inout NFIGCheck, _ pyramid: FrequencyPyramid, _ x: PreciseImages
    ) throws {
        guard let stored = check.fixture.file["cotangent.bands"],
            let expected = check.fixture.file["grad_input.x"]
        else { return }
        try check.requireRank(stored, 5)
        let size = x.values.count
        try check.require(
            stored.elementCount == size * pyramid.levelCount, "cotangent.bands \(stored.shape) does not fit")
        let shape = Array(stored.shape.dropFirst())
        try check.require(
            shape == [x.shape[0], x.shape[3], x.shape[1], x.shape[2]],
            "cotangent.bands \(stored.shape) does not fit")
        let values = stored.doubles
        let parts = (0..<pyramid.levelCount).map { level in
            let moved = AxisOrder.channelsLast(Array(values[level * size..<(level + 1) * size]), shape: shape)
            return pyramid.bands(PreciseImages(shape: Shape(moved.shape), values: moved.values))[level]
        }
        let sum = parts.dropFirst().reduce(parts[0], +)
        let (gradient, gradientShape) = AxisOrder.channelsSecond(sum.values, shape: sum.shape.extents)
        check.result.addGradient(
            Comparison(
                name: expected.name, gradient, shape: gradientShape, expected: expected.doubles,
                shape: expected.shape),
            within: NFIGCheck.tolerance(for: expected))
        // The same by the tape, in single precision.
        let variable = Tensor(shape: x.shape, scalars: x.values.map(Float.init)).variable
        let cotangents = parts.indices.map { level -> Tensor in
            let moved = AxisOrder.channelsLast(Array(values[level * size..<(level + 1) * size]), shape: shape)
            return Tensor(shape: Shape(moved.shape), scalars: moved.values.map(Float.init))
        }
        let weighted = zip(pyramid.bands(variable), cotangents).map { ($0 * $1).sum() }
        let total = weighted.dropFirst().reduce(weighted[0], +)
        check.result.addGradient(
            Comparison(
                name: "\(expected.name), single precision",
                channelsLast: total.gradients()[variable] ?? .zeros(x.shape),
                expected: expected), within: NFIGCheck.singleTolerance)
    }

    /// All coefficients, from those that a real transform stores.
    private static func spectrum(_ x: PreciseImages) -> (PreciseImages, PreciseImages) {
        let (count, height, width, channels) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
        let transform = RealFFT2<Double>(height: height, width: width, channels: channels)
        var stored = [Double](repeating: 0, count: count * transform.spectrumCount)
        transform.forward(x.values, into: &stored, count: count)
        var (real, imaginary) = (x, x)
        for place in x.values.indices {
            let c = place % channels
            let v = place / channels % width
            let u = place / channels / width % height
            let n = place / channels / width / height
            let isMirrored = v > width / 2
            let (row, column) = isMirrored ? ((height - u) % height, width - v) : (u, v)
            let index = 2 * (((n * height + row) * transform.spectrumWidth + column) * channels + c)
            real.values[place] = stored[index]
            imaginary.values[place] = isMirrored ? -stored[index + 1] : stored[index + 1]
        }
        return (real, imaginary)
    }

    @Sendable static func verifyPyramid(_ check: inout NFIGCheck) throws {
        let grids = try check.grids("grids")
        let pyramid = try FrequencyPyramid(
            PyramidConfiguration(grids: grids, basis: basis(check.fixture.string("basis")), sizing: .spectral)
        )
        let (x, other) = (try check.precise(input: "x"), try check.precise(input: "xhat"))
        try check.require(
            x.grid == pyramid.finest && other.shape == x.shape,
            "images \(x.shape) and \(other.shape) are not of size \(pyramid.finest)")
        try check.output("dof", pyramid.degreesOfFreedom)
        for level in grids.indices {
            let coarse = pyramid.down(x, to: level)
            try check.output("coarse\(level)", images: coarse)
            let detail = pyramid.detail(x, level: level)
            try check.output("detail\(level)", images: detail)
            if check.hasOutput("detail_std\(level)") {
                try check.output("detail_std\(level)", [detail.rootMeanSquare])
            }
            try check.output("lowpass\(level)", images: pyramid.up(coarse, from: level))
            let previous = level > 0 ? pyramid.down(x, to: level - 1) : nil
            try check.output(
                "replaced\(level)", images: pyramid.replacingBand(of: previous, with: other, level: level))
        }
    }

    static func basis(_ name: String) throws -> PyramidConfiguration.Basis {
        switch name {
        case "fft": .fourier
        case "dct": .cosine
        default: throw UnsupportedFixture("the basis \"\(name)\" is not known")
        }
    }

    @Sendable static func verifyPacking(_ check: inout NFIGCheck) throws {
        let grids = try check.grids("grids")
        let pyramid = try FrequencyPyramid(.octaves(grids))
        let x = try check.precise(input: "x")
        try check.require(x.grid == pyramid.finest, "input.x \(x.shape) is not of size \(pyramid.finest)")
        for level in grids.indices {
            let coarse = pyramid.down(x, to: level)
            try check.output("coarse\(level)", images: coarse)
            guard level > 0 else { continue }
            let packing = try OctavePacking(coarse: grids[level - 1], fine: grids[level])
            let detail = pyramid.detail(x, level: level)
            try check.output("detail\(level)", images: detail)
            let packed = packing.pack(detail)
            try check.output("packed\(level)", images: packed)
            let drawn = try check.precise(input: "e\(level)")
            try check.require(
                drawn.shape == packed.shape,
                "input.e\(level) \(drawn.shape) is no packed band \(packed.shape)")
            let unpacked = packing.unpack(drawn)
            try check.output("unpacked_e\(level)", images: unpacked)
            let base = pyramid.resize(pyramid.down(x, to: level - 1), from: level - 1, to: level)
            try check.output("next_coarse\(level)", images: base + unpacked)
        }
    }

    @Sendable static func verifySpectralResizing(_ check: inout NFIGCheck) throws {
        for (index, item) in try sizes(check, offset: 0).enumerated() {
            let x = try check.precise(input: "x\(index)")
            try check.require(x.grid == item.from, "input.x\(index) \(x.shape) is not of size \(item.from)")
            for (name, resampling) in [("fft", Resampling.fourier), ("dct", .cosine)] {
                try check.output(
                    "\(name)\(index)", images: SeparableMap(resampling, from: item.from, to: item.to)(x))
            }
        }
    }

    @Sendable static func verifyResizing(_ check: inout NFIGCheck) throws {
        for (index, item) in try sizes(check, offset: 1).enumerated() {
            guard let name = check.config["items"]?[index]?[0]?.string,
                let resampling = Resampling(rawValue: name)
            else { throw UnsupportedFixture("item \(index) names no known resampling") }
            let x = try check.images(input: "x\(index)").variable
            try check.require(x.grid == item.from, "input.x\(index) \(x.shape) is not of size \(item.from)")
            let y = SeparableMap(resampling, from: item.from, to: item.to)(x)
            try check.output("y\(index)", images: y)
            guard let cotangent = check.fixture.file["cotangent.y\(index)"] else { continue }
            let gradients = y.gradients(cotangent: try like(y, cotangent, check))
            check.inputGradient("x\(index)", gradients, x, channelsLast: true)
        }
    }

    /// A stored `[N, C, H, W]` shaped like a tensor `[N, H, W, C]`.
    static func like(_ tensor: Tensor, _ stored: StoredTensor, _ check: NFIGCheck) throws -> Tensor {
        let result = stored.channelsLastTensor
        try check.require(
            result.shape == tensor.shape, "\(stored.name) \(stored.shape) does not fit \(tensor.shape)")
        return result
    }

    private static func sizes(_ check: NFIGCheck, offset: Int) throws -> [(from: Grid, to: Grid)] {
        try (check.config["items"]?.array ?? []).map { item in
            let numbers = (item.array ?? []).dropFirst(offset).compactMap(\.integer)
            try check.require(
                numbers.count == 4 && numbers.allSatisfy { $0 > 0 }, "an item names no four sizes")
            return (Grid(numbers[0], numbers[1]), Grid(numbers[2], numbers[3]))
        }
    }
}
