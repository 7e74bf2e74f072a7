import Checkpoints
import Tensors

// Inputs and settings of a case, checked before anything is built from them: whatever a file says, it is reported.
extension Fixture {
    /// A whole number within what a network can have.
    /// - Throws: `CheckpointFileError` outside `range`.
    func count(_ key: String, in range: ClosedRange<Int> = 1...4096) throws -> Int {
        let value = try integer(key)
        guard range.contains(value) else {
            throw problem("its config's \"\(key)\" is \(value), not in \(range)")
        }
        return value
    }

    /// The same for a setting that may be absent.
    func count(_ key: String, default value: Int, in range: ClosedRange<Int> = 1...4096) throws -> Int {
        config[key] == nil ? value : try count(key, in: range)
    }

    /// An image `[N, C, H, W]` as `[N, H, W, C]`, none of them zero.
    func imageTensor(_ name: String, channels: Int? = nil) throws -> Tensor {
        let stored = try input(name)
        guard stored.shape.count == 4, stored.elementCount > 0,
            channels.map({ $0 == stored.shape[1] }) ?? true
        else {
            let wanted = channels.map { "with \($0) channels" } ?? "with four axes"
            throw problem("input.\(name) is \(stored.shape), needs an image \(wanted)")
        }
        return stored.channelsLastTensor
    }

    /// User parameters `[N, P]`.
    func tuning(_ name: String, samples: Int, count: Int) throws -> Tensor {
        let stored = try input(name)
        guard stored.shape == [samples, count] else {
            throw problem("input.\(name) is \(stored.shape), needs [\(samples), \(count)]")
        }
        return stored.tensor
    }

    /// Fails unless the cotangent of an output, when there is one, has the shape of what was computed.
    func checkCotangent(_ name: String, of value: Tensor) throws {
        guard let cotangent = file["cotangent." + name] else { return }
        let shape = cotangent.shape
        let moved = shape.count > 2 ? [shape[0]] + shape[2...] + [shape[1]] : shape
        guard Shape(moved) == value.shape else {
            throw problem(
                "cotangent.\(name) is \(cotangent.shape), the result is \(value.shape) with channels last")
        }
    }

    func problem(_ text: String) -> CheckpointFileError { CheckpointFileError(file: path, problem: text) }
}

extension GradientCheck {
    /// The forward value, then the gradients of inputs and parameters.
    mutating func compare(_ value: Tensor, _ name: String, inputs: [(name: String, tensor: Tensor)]) throws {
        try output(name, value)
        try fixture.checkCotangent(name, of: value)
        try backward(value, name, inputs: inputs)
    }
}
