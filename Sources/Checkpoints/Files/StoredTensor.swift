import Archives
import Tensors

/// A tensor as it lies in a file: a name, a shape, and bytes that are read when asked for.
///
/// The shape is the file's own, in the file's axis order (PyTorch's OIHW for a convolution).
public struct StoredTensor: Sendable {
    public var name: String
    public let shape: [Int]
    public let type: StoredType
    /// Little-endian scalars, last axis fastest.
    public let bytes: ByteSlice

    /// - Precondition: the bytes fill the shape.
    public init(name: String, shape: [Int], type: StoredType, bytes: ByteSlice) {
        precondition(
            bytes.count == shape.reduce(1, *) * type.byteCount,
            "\(bytes.count) bytes do not fill \(type) \(shape)")
        self.name = name
        self.shape = shape
        self.type = type
        self.bytes = bytes
    }

    public init(name: String, shape: [Int], floats: [Float], as type: StoredType = .float32) {
        self.init(
            name: name, shape: shape, type: type,
            bytes: ByteSlice(floats.withUnsafeBufferPointer { type.encode($0) }))
    }

    public init(name: String, shape: [Int], doubles: [Double], as type: StoredType = .float64) {
        self.init(
            name: name, shape: shape, type: type,
            bytes: ByteSlice(doubles.withUnsafeBufferPointer { type.encode($0) }))
    }

    public init(name: String, shape: [Int], integers: [Int], as type: StoredType = .int64) {
        self.init(name: name, shape: shape, type: type, bytes: ByteSlice(type.encode(integers)))
    }

    public init(name: String, shape: [Int], bytes: [UInt8]) {
        self.init(name: name, shape: shape, type: .uint8, bytes: ByteSlice(bytes))
    }

    public init(name: String, _ tensor: Tensor, as type: StoredType = .float32) {
        self.init(
            name: name, shape: tensor.shape.extents, type: type,
            bytes: ByteSlice(tensor.withScalars { type.encode($0) }))
    }

    public var elementCount: Int { shape.reduce(1, *) }

    /// Every scalar as a `Float`, in file order.
    public var floats: [Float] {
        [Float](unsafeUninitializedCapacity: elementCount) { buffer, count in
            copyFloats(to: UnsafeMutableBufferPointer(rebasing: buffer[..<elementCount]))
            count = elementCount
        }
    }

    public var doubles: [Double] {
        switch type {
        case .float64: load(Double.self) { $0 }
        case .int64: load(Int64.self) { Double($0) }
        default: floats.map(Double.init)
        }
    }

    /// Every scalar as an `Int`; fractions are cut off, what does not fit becomes the nearest `Int`, NaN 0.
    public var integers: [Int] {
        switch type {
        case .int64: load(Int64.self) { Int($0) }
        case .int32: load(Int32.self) { Int($0) }
        case .int16: load(Int16.self) { Int($0) }
        case .int8: load(Int8.self) { Int($0) }
        case .uint8, .bool: load(UInt8.self) { Int($0) }
        case .float64, .float32, .float16, .bfloat16:
            doubles.map { $0.isNaN ? 0 : Int(exactly: $0.rounded(.towardZero)) ?? ($0 < 0 ? .min : .max) }
        }
    }

    /// A float32 tensor of the file's own shape.
    public var tensor: Tensor {
        let result = Tensor.uninitialized(Shape(shape))
        result.withMutableScalars { copyFloats(to: $0) }
        return result
    }

    /// The same values under another type.
    public func converted(to type: StoredType) -> StoredTensor {
        if type == self.type { return self }
        if !type.isFloatingPoint {
            return StoredTensor(name: name, shape: shape, integers: integers, as: type)
        }
        if self.type == .float64 || self.type == .int64 {
            return StoredTensor(name: name, shape: shape, doubles: doubles, as: type)
        }
        return StoredTensor(name: name, shape: shape, floats: floats, as: type)
    }

    /// - Parameter target: room for exactly `elementCount` scalars.
    public func copyFloats(to target: UnsafeMutableBufferPointer<Float>) {
        precondition(target.count == elementCount, "\(name) \(shape) does not fill \(target.count) scalars")
        switch type {
        case .float32: bytes.withBytes { UnsafeMutableRawBufferPointer(target).copyMemory(from: $0) }
        case .float64: load(Double.self, into: target) { Float($0) }
        case .float16: load(UInt16.self, into: target) { HalfPrecision.float(fromFloat16: $0) }
        case .bfloat16: load(UInt16.self, into: target) { HalfPrecision.float(fromBFloat16: $0) }
        case .int64: load(Int64.self, into: target) { Float($0) }
        case .int32: load(Int32.self, into: target) { Float($0) }
        case .int16: load(Int16.self, into: target) { Float($0) }
        case .int8: load(Int8.self, into: target) { Float($0) }
        case .uint8: load(UInt8.self, into: target) { Float($0) }
        case .bool: load(UInt8.self, into: target) { $0 == 0 ? 0 : 1 }
        }
    }

    private func load<Scalar: BitwiseCopyable, Value>(_: Scalar.Type, _ convert: (Scalar) -> Value) -> [Value]
    {
        bytes.withBytes { source in
            (0..<elementCount).map { index in
                convert(
                    source.loadUnaligned(fromByteOffset: index * MemoryLayout<Scalar>.size, as: Scalar.self))
            }
        }
    }

    private func load<Scalar: BitwiseCopyable>(
        _: Scalar.Type, into target: UnsafeMutableBufferPointer<Float>, _ convert: (Scalar) -> Float
    ) {
        bytes.withBytes { source in
            for index in target.indices {
                target[index] = convert(
                    source.loadUnaligned(fromByteOffset: index * MemoryLayout<Scalar>.size, as: Scalar.self))
            }
        }
    }
}
