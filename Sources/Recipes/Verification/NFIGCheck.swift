import Autoregression
import Checkpoints
import Layers
import Tensors

/// One next-frequency case being compared: reads its tensors and gathers the comparisons.
///
/// Tolerances are those of `specs/nfig.md`, section 15: 10⁻¹⁰ of the RMS for double references, 10⁻⁴ of the
/// largest magnitude for single ones, nothing for whole numbers.
struct NFIGCheck {
    let fixture: Fixture
    var result = VerificationResult()

    static let doubleTolerance = 1e-10
    static let singleTolerance = 1e-4

    init(_ fixture: Fixture) { self.fixture = fixture }

    var config: JSONValue { fixture.config }

    func hasOutput(_ name: String) -> Bool { fixture.file["output." + name] != nil }

    // MARK: Reading

    /// `config.<key>`, a list of numbers (squares) or of pairs.
    func grids(_ key: String) throws -> [Grid] {
        let grids = config[key]?.array?.compactMap { item -> Grid? in
            if let side = item.integer { return Grid(side) }
            guard let sides = item.integers, sides.count == 2 else { return nil }
            return Grid(sides[0], sides[1])
        }
        guard let grids, !grids.isEmpty, grids.count == config[key]?.array?.count else {
            throw CheckpointFileError(
                file: fixture.path,
                problem: "its config needs sizes under \"\(key)\", found \(config[key]?.text ?? "nothing")")
        }
        guard grids.allSatisfy({ $0.height > 0 && $0.width > 0 }) else {
            throw CheckpointFileError(
                file: fixture.path, problem: "its config has an empty size under \"\(key)\"")
        }
        return grids
    }

    /// A size from the config.
    func positive(_ key: String) throws -> Int {
        let value = try fixture.integer(key)
        try require(
            (1...1 << 16).contains(value), "its config has \(value) under \"\(key)\", which is no size")
        return value
    }

    /// A factor on a width, such as `mlp_ratio`.
    func ratio(_ key: String, of width: Int) throws -> Double {
        let value = try fixture.number(key)
        try require(
            value.isFinite && value * Double(width) >= 1 && value < 1024,
            "its config has \(value) under \"\(key)\"")
        return value
    }

    /// An input `[…, C, H, W]` in double precision; a missing batch or channel axis counts as one.
    func precise(_ stored: StoredTensor) throws -> PreciseImages {
        var shape = stored.shape
        guard (2...4).contains(shape.count) else {
            throw CheckpointFileError(file: fixture.path, problem: "\(stored.name) \(shape) is no image")
        }
        try require(stored.elementCount > 0, "\(stored.name) \(shape) is empty")
        while shape.count < 4 { shape.insert(1, at: shape.count == 3 ? 1 : 0) }
        let (values, moved) = AxisOrder.channelsLast(stored.doubles, shape: shape)
        return PreciseImages(shape: Shape(moved), values: values)
    }

    func precise(input name: String) throws -> PreciseImages { try precise(fixture.input(name)) }

    func images(input name: String) throws -> Tensor {
        let stored = try fixture.input(name)
        try requireRank(stored, 4)
        try require(stored.elementCount > 0, "\(stored.name) \(stored.shape) is empty")
        return stored.channelsLastTensor
    }

    /// Indices `[B, L]` as L per row.
    func rows(_ stored: StoredTensor) throws -> [[Int]] {
        try requireRank(stored, 2)
        let width = stored.shape[1]
        let values = stored.integers
        return (0..<stored.shape[0]).map { Array(values[$0 * width..<($0 + 1) * width]) }
    }

    func requireRank(_ stored: StoredTensor, _ rank: Int) throws {
        guard stored.shape.count == rank else {
            throw CheckpointFileError(
                file: fixture.path, problem: "\(stored.name) \(stored.shape) needs \(rank) axes")
        }
    }

    func require(_ condition: Bool, _ problem: @autoclosure () -> String) throws {
        guard condition else { throw CheckpointFileError(file: fixture.path, problem: problem()) }
    }

    /// The tensors under a prefix such as `vae.`, without it.
    func tensors(_ prefix: String) -> [String: Tensor] {
        fixture.file.tensors(withPrefix: prefix).reduce(into: [:]) { $0[$1.name] = $1.tensor }
    }

    // MARK: Comparing

    /// 10⁻⁴ of the largest magnitude, in units of the RMS that comparisons are relative to.
    static func tolerance(for expected: StoredTensor) -> Double {
        switch expected.type {
        case .float64: return doubleTolerance
        case .float32, .float16, .bfloat16: break
        default: return 0
        }
        let values = expected.doubles.filter(\.isFinite)
        let square = values.reduce(0) { $0 + $1 * $1 } / Double(max(1, values.count))
        let largest = values.map(abs).max() ?? 0
        return square > 0 ? singleTolerance * largest / square.squareRoot() : singleTolerance
    }

    /// Compares values in the file's own order.
    mutating func output(_ name: String, _ values: [Double], shape: [Int]? = nil) throws {
        let expected = try fixture.output(name)
        result.addOutput(
            Comparison(
                name: expected.name, values,
                shape: shape ?? (values.count == expected.elementCount ? expected.shape : [values.count]),
                expected: expected.doubles, shape: expected.shape), within: Self.tolerance(for: expected))
    }

    mutating func output(_ name: String, _ values: [Int]) throws { try output(name, values.map(Double.init)) }

    /// A tensor of the file's own axis order.
    mutating func output(_ name: String, _ tensor: Tensor) throws {
        try output(name, tensor.scalars.map(Double.init), shape: tensor.shape.extents)
    }

    /// `[N, H, W, C]` against `[N, C, H, W]`.
    mutating func output(_ name: String, images: Tensor) throws {
        let expected = try fixture.output(name)
        result.addOutput(
            Comparison(name: expected.name, channelsLast: images, expected: expected),
            within: Self.tolerance(for: expected))
    }

    /// The same in double precision; axes of one that the file leaves out are left out.
    mutating func output(_ name: String, images: PreciseImages) throws {
        let (values, _) = AxisOrder.channelsSecond(images.values, shape: images.shape.extents)
        try output(name, values)
    }

    /// Maps `[N, H, W, C]` of all levels against `[n, N, C, H, W]`.
    mutating func output(_ name: String, stacked maps: [PreciseImages]) throws {
        let expected = try fixture.output(name)
        let moved = maps.map { AxisOrder.channelsSecond($0.values, shape: $0.shape.extents) }
        try output(
            name, moved.flatMap(\.values), shape: [maps.count] + (moved.first?.shape ?? []))
        try require(!expected.shape.isEmpty, "output.\(name) is a number, not maps")
    }

    mutating func gradient(
        _ expected: StoredTensor?, _ found: Tensor?, like tensor: Tensor, channelsLast: Bool
    ) {
        guard let expected else { return }
        let gradient = found ?? .zeros(tensor.shape)
        let comparison =
            channelsLast
            ? Comparison(name: expected.name, channelsLast: gradient, expected: expected)
            : Comparison(name: expected.name, gradient, expected: expected)
        result.addGradient(comparison, within: Self.tolerance(for: expected))
    }

    mutating func inputGradient(
        _ name: String, _ gradients: Gradients, _ tensor: Tensor, channelsLast: Bool = false
    ) {
        gradient(
            fixture.file["grad_input." + name], gradients[tensor], like: tensor, channelsLast: channelsLast)
    }

    /// Every parameter's gradient against `<prefix><name>`.
    /// - Parameter rename: from the model's name to the file's.
    mutating func parameterGradients(
        _ store: ParameterStore, _ gradients: Gradients, prefix: String = "grad_param.",
        rename: (String) -> String = { $0 }
    ) {
        for (name, tensor) in store.all {
            let stored = prefix + rename(name)
            guard let expected = fixture.file[stored] else { continue }
            let found = gradients[tensor] ?? .zeros(tensor.shape)
            if let comparison = cancelled(found, expected, stored) {
                result.addGradient(comparison, within: 1e-5)
            } else {
                gradient(expected, found, like: tensor, channelsLast: false)
            }
        }
    }

    /// A bias that the next normalisation takes away again has no gradient but rounding, on both sides. Such a
    /// bias is compared in units of the weight beside it, by joining that weight's largest gradient to both.
    private func cancelled(_ found: Tensor, _ expected: StoredTensor, _ name: String) -> Comparison? {
        guard name.hasSuffix(".bias"), let weight = fixture.file[name.dropLast(5) + ".weight"] else {
            return nil
        }
        let scale = weight.doubles.map(abs).max() ?? 0
        let values = expected.doubles
        guard values.allSatisfy({ abs($0) < 1e-5 * scale }), found.elementCount == values.count else {
            return nil
        }
        let shape = [values.count + 1]
        return Comparison(
            name: "\(expected.name) beside its weight's", found.scalars.map(Double.init) + [scale],
            shape: shape,
            expected: values + [scale], shape: shape)
    }
}
