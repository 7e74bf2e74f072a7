import Checkpoints
import Foundation
import Layers
import Tensors

/// Collects the comparisons of a LINA or MAR case. Tolerances are relative to the largest entry of the reference
/// (`specs/lina.md`, section 12).
struct LINACheck {
    static let outputTolerance = 2e-5
    static let gradientTolerance = 1e-4
    static let sampleTolerance = 1e-4

    let fixture: Fixture
    var outputTolerance = Self.outputTolerance
    var gradientTolerance = Self.gradientTolerance
    var result = VerificationResult()

    init(_ fixture: Fixture) { self.fixture = fixture }

    var config: JSONValue { fixture.config }

    /// - Throws: `CheckpointFileError` with this text unless the condition holds.
    func require(_ condition: Bool, _ problem: @autoclosure () -> String) throws {
        guard condition else { throw CheckpointFileError(file: fixture.path, problem: problem()) }
    }

    // MARK: Reading

    /// An input of the given shape, nil for any extent above 0.
    func input(_ name: String, _ shape: [Int?]) throws -> Tensor {
        let stored = try fixture.input(name)
        try require(
            stored.shape.count == shape.count
                && zip(stored.shape, shape).allSatisfy { $1 == nil ? $0 > 0 : $0 == $1 },
            "input.\(name) is \(stored.shape), needed \(shape.map { $0.map(String.init) ?? "any" })")
        return stored.tensor
    }

    /// An image `[N, C, H, W]` as `[N, H, W, C]`.
    func image(_ name: String, _ shape: [Int?]) throws -> Tensor {
        try input(name, shape).permuted([0, 2, 3, 1])
    }

    /// Token indices of each sample, `[N, M]` or `[N, M, 1]`.
    func indices(_ name: String, samples: Int, below count: Int, allDistinct: Bool = true) throws -> [[Int]] {
        let stored = try fixture.input(name)
        try require(
            (stored.shape.count == 2 || stored.shape.count == 3 && stored.shape[2] == 1)
                && stored.shape[0] == samples,
            "input.\(name) is \(stored.shape), needed indices of \(samples) samples")
        let (values, width) = (stored.integers, stored.shape[1])
        let lists = (0..<samples).map { Array(values[$0 * width..<($0 + 1) * width]) }
        try require(
            lists.allSatisfy { list in
                list.allSatisfy { (0..<count).contains($0) }
                    && (!allDistinct || Set(list).count == list.count)
            }, "input.\(name) has indices outside 0..<\(count), or one twice")
        return lists
    }

    /// A permutation of `count` tokens for each sample.
    func orders(_ name: String, samples: Int, tokens: Int) throws -> [[Int]] {
        let lists = try indices(name, samples: samples, below: tokens)
        try require(
            lists.allSatisfy { $0.count == tokens }, "input.\(name) orders fewer than \(tokens) tokens")
        return lists
    }

    /// Class labels of each sample.
    func labels(_ name: String, samples: Int, classes: Int) throws -> [Int] {
        let values = try fixture.input(name).integers
        try require(
            values.count == samples && values.allSatisfy { (0..<classes).contains($0) },
            "input.\(name) must hold \(samples) classes below \(classes)")
        return values
    }

    /// Scalars of an input, of the given number.
    func numbers(_ name: String, count: Int) throws -> [Double] {
        let values = try fixture.input(name).doubles
        try require(values.count == count, "input.\(name) must hold \(count) numbers, found \(values.count)")
        return values
    }

    /// A positive whole number of the configuration.
    func positive(_ key: String) throws -> Int {
        let value = try fixture.integer(key)
        try require(value > 0, "its config needs a positive \"\(key)\", found \(value)")
        return value
    }

    /// A positive number of the configuration.
    func positiveNumber(_ key: String) throws -> Double {
        let value = try fixture.number(key)
        try require(value > 0 && value.isFinite, "its config needs a positive \"\(key)\", found \(value)")
        return value
    }

    /// Two positive whole numbers.
    func pair(_ key: String) throws -> (Int, Int) {
        let values = try fixture.integers(key)
        try require(
            values.count == 2 && values.allSatisfy { $0 > 0 },
            "its config needs two positive numbers under \"\(key)\"")
        return (values[0], values[1])
    }

    /// The parameters under `prefix`, loaded into a store.
    func store(_ prefix: String = "", without excluded: String? = nil, isTracked: Bool = true)
        -> ParameterStore
    {
        var tensors: [String: Tensor] = [:]
        for parameter in fixture.parameters where parameter.name.hasPrefix(prefix) {
            if let excluded, parameter.name.hasPrefix(excluded) { continue }
            tensors[String(parameter.name.dropFirst(prefix.count))] = parameter.tensor
        }
        return ParameterStore(.loaded(tensors), isTracked: isTracked)
    }

    // MARK: Comparing

    /// A tolerance relative to the largest entry, in units of the RMS that comparisons use.
    private func tolerance(_ relative: Double, _ expected: StoredTensor) -> Double {
        let values = expected.doubles.map(abs)
        let square = values.reduce(0) { $0 + $1 * $1 } / Double(max(1, values.count))
        guard square > 0, let top = values.max(), top.isFinite else { return relative }
        return relative * top / square.squareRoot()
    }

    /// Compares with `output.<name>` in the same order of axes.
    mutating func output(_ name: String, _ value: Tensor, within relative: Double? = nil) throws {
        let expected = try fixture.output(name)
        result.addOutput(
            Comparison(name: name, value, expected: expected),
            within: tolerance(relative ?? outputTolerance, expected))
    }

    /// Compares an image `[N, H, W, C]` with `output.<name>` `[N, C, H, W]`.
    mutating func imageOutput(_ name: String, _ value: Tensor, within relative: Double? = nil) throws {
        try output(name, value.permuted([0, 3, 1, 2]), within: relative)
    }

    /// Compares numbers; whole ones (tables of counts, indices) must agree exactly.
    mutating func output(_ name: String, _ values: [Double], within relative: Double? = nil) throws {
        let expected = try fixture.output(name)
        result.addOutput(
            Comparison(
                name: name, values,
                shape: values.count == expected.elementCount ? expected.shape : [values.count],
                expected: expected.doubles, shape: expected.shape),
            within: tolerance(relative ?? outputTolerance, expected))
    }

    mutating func output(_ name: String, _ values: [Int]) throws {
        try output(name, values.map(Double.init), within: 0)
    }

    /// Compares 8-bit images, one step of difference allowed.
    mutating func bytes(_ name: String, _ values: [Double], shape: [Int]) throws {
        let expected = try fixture.output(name)
        let reference = expected.doubles
        let worst = zip(values, reference).map { abs($0 - $1) }.max() ?? 0
        let agrees = shape == expected.shape && values.count == reference.count
        // The scale is one step of the 8 bits.
        result.addOutput(
            Comparison(name: name, [agrees ? worst : .infinity], shape: [1], expected: [0], shape: [1]),
            within: 1)
    }

    /// Goes back from results with their stored cotangents and compares every gradient that the case has.
    mutating func backward(
        _ results: [(name: String, tensor: Tensor)], inputs: [(name: String, tensor: Tensor)] = [],
        _ stores: ParameterStore...
    ) throws {
        var total: Tensor?
        for (name, tensor) in results {
            guard let cotangent = fixture.file["cotangent." + name] else { continue }
            try require(
                cotangent.shape == tensor.shape.extents,
                "cotangent.\(name) is \(cotangent.shape), needed \(tensor.shape)")
            let part = (tensor * cotangent.tensor).sum()
            total = total.map { $0 + part } ?? part
        }
        guard let total else { return }
        try gradients(total.gradients(), inputs: inputs, stores)
    }

    /// Compares the gradients found with those of the case.
    mutating func gradients(
        _ found: Gradients, inputs: [(name: String, tensor: Tensor)] = [], _ stores: [ParameterStore]
    ) throws {
        for (name, tensor) in inputs {
            guard let expected = fixture.file["grad_input." + name] else { continue }
            compare(found[tensor] ?? .zeros(tensor.shape), expected)
        }
        for store in stores {
            for (name, tensor) in store.all {
                guard let expected = fixture.file["grad_param." + name] else { continue }
                compare(found[tensor] ?? .zeros(tensor.shape), expected)
            }
        }
    }

    mutating func compare(_ gradient: Tensor, _ expected: StoredTensor) {
        result.addGradient(
            Comparison(name: expected.name, gradient, expected: expected),
            within: tolerance(gradientTolerance, expected))
    }
}
