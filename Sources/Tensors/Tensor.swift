/// A dense array of scalars with a shape, channels last.
///
/// A tensor is a value: operations return new tensors and never change their operands. Two tensors may share
/// storage (`reshaped`, `rows(in:)`); only an optimiser writes into storage in place, through
/// `withMutableScalars`, between steps.
public struct Tensor: @unchecked Sendable {
    public let shape: Shape
    public let scalarType: ScalarType
    public let storage: Storage
    /// Position of the first scalar within `storage`, in scalars.
    let offset: Int
    /// The tape entry that made this tensor, when a derivative will be wanted.
    let node: TapeNode?
    /// As weights of a convolution or linear layer: what that layer's operands are rounded to.
    public let productPrecision: ProductPrecision
    /// As weights: what else happens there.
    public let productRole: ProductRole?

    init(
        shape: Shape, scalarType: ScalarType = .float32, storage: Storage, offset: Int = 0,
        node: TapeNode? = nil, productPrecision: ProductPrecision = .float32, productRole: ProductRole? = nil
    ) {
        self.shape = shape
        self.scalarType = scalarType
        self.storage = storage
        self.offset = offset
        self.node = node
        self.productPrecision = productPrecision
        self.productRole = productRole
    }

    /// A tensor with undefined contents, for an operation that writes every scalar.
    public static func uninitialized(_ shape: Shape, scalarType: ScalarType = .float32) -> Tensor {
        Tensor(
            shape: shape, scalarType: scalarType,
            storage: Storage(byteCount: shape.elementCount * scalarType.byteCount))
    }

    /// A float32 tensor from scalars in memory order (last axis fastest).
    public init(shape: Shape, scalars: [Float]) {
        precondition(
            scalars.count == shape.elementCount, "\(scalars.count) scalars do not fill a tensor \(shape)")
        self.init(
            shape: shape, storage: .constant(byteCount: shape.elementCount * ScalarType.float32.byteCount))
        scalars.withUnsafeBufferPointer { source in
            guard let base = source.baseAddress else { return }
            storage.floats().update(from: base, count: source.count)
        }
    }

    public init(_ scalar: Float) { self.init(shape: [], scalars: [scalar]) }

    public init(repeating value: Float, shape: Shape) {
        self = .uninitialized(shape)
        let (target, count) = (mutableBase, shape.elementCount)
        perform { target.update(repeating: value, count: count) }
    }

    public static func zeros(_ shape: Shape) -> Tensor { Tensor(repeating: 0, shape: shape) }

    /// A tensor that has a shape and no memory. Only its shape may be asked for.
    public static func placeholder(_ shape: Shape) -> Tensor {
        Tensor(shape: shape, storage: Storage(byteCount: 0))
    }

    public var elementCount: Int { shape.elementCount }

    /// All scalars in memory order, copied out.
    public var scalars: [Float] { withScalars { Array($0) } }

    /// The only scalar of a one-element tensor.
    public var item: Float {
        precondition(elementCount == 1, "item needs one scalar, this tensor is \(shape)")
        return withScalars { $0[0] }
    }

    /// Read access to float32 scalars in memory order.
    public func withScalars<Result>(_ body: (UnsafeBufferPointer<Float>) throws -> Result) rethrows -> Result
    {
        precondition(
            scalarType == .float32, "scalars are read from float32 tensors, this one is \(scalarType)")
        storage.hostAccess()
        return try body(UnsafeBufferPointer(start: storage.floats(offset: offset), count: elementCount))
    }

    /// Whether both have one shape and the same bits in every float32 scalar, NaN and signs of zero included.
    public func hasSameBits(as other: Tensor) -> Bool {
        guard shape == other.shape else { return false }
        return withScalars { a in
            other.withScalars { b in
                UnsafeRawBufferPointer(a).elementsEqual(UnsafeRawBufferPointer(b))
            }
        }
    }

    /// Write access in place. For filling a tensor just made by `uninitialized`, and for optimisers: every
    /// tensor that shares the storage sees the change.
    public func withMutableScalars<Result>(
        _ body: (UnsafeMutableBufferPointer<Float>) throws -> Result
    ) rethrows -> Result {
        precondition(
            scalarType == .float32, "scalars are written to float32 tensors, this one is \(scalarType)")
        storage.hostAccess()
        defer { storage.contentsChanged() }
        return try body(
            UnsafeMutableBufferPointer(start: storage.floats(offset: offset), count: elementCount))
    }

    /// The same values in storage of their own.
    public var copied: Tensor { Tensor(shape: shape, scalars: scalars) }

    /// This tensor's values without its history: no derivative flows through the result.
    public var detached: Tensor {
        Tensor(
            shape: shape, scalarType: scalarType, storage: storage, offset: offset,
            productPrecision: productPrecision, productRole: productRole)
    }
}
