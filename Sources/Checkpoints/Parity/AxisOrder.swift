import Tensors

/// Moves between the file order of axes (channels second) and the memory order (channels last).
public enum AxisOrder {
    /// Scalars with their axes permuted: axis `i` of the result is axis `order[i]` of the source.
    public static func permuted<Scalar>(_ values: [Scalar], shape: [Int], order: [Int]) -> (
        values: [Scalar], shape: [Int]
    ) {
        precondition(
            order.sorted() == Array(shape.indices), "\(order) is no permutation of the axes of \(shape)")
        precondition(values.count == shape.reduce(1, *), "\(values.count) scalars do not fill \(shape)")
        var strides = [Int](repeating: 1, count: shape.count)
        for axis in shape.indices.dropLast().reversed() {
            strides[axis] = strides[axis + 1] * shape[axis + 1]
        }
        let newShape = order.map { shape[$0] }
        let newStrides = order.map { strides[$0] }
        var result: [Scalar] = []
        result.reserveCapacity(values.count)
        var index = [Int](repeating: 0, count: shape.count)
        var source = 0
        for _ in values.indices {
            result.append(values[source])
            for axis in newShape.indices.reversed() {
                index[axis] += 1
                source += newStrides[axis]
                if index[axis] < newShape[axis] { break }
                source -= newStrides[axis] * newShape[axis]
                index[axis] = 0
            }
        }
        return (result, newShape)
    }

    /// `[N, C, spatial…]` to `[N, spatial…, C]`; ranks below 3 are left as they are.
    public static func channelsLast<Scalar>(_ values: [Scalar], shape: [Int]) -> (
        values: [Scalar], shape: [Int]
    ) {
        guard shape.count > 2 else { return (values, shape) }
        return permuted(values, shape: shape, order: [0] + Array(2..<shape.count) + [1])
    }

    /// `[N, spatial…, C]` to `[N, C, spatial…]`; ranks below 3 are left as they are.
    public static func channelsSecond<Scalar>(_ values: [Scalar], shape: [Int]) -> (
        values: [Scalar], shape: [Int]
    ) {
        guard shape.count > 2 else { return (values, shape) }
        return permuted(values, shape: shape, order: [0, shape.count - 1] + Array(1..<shape.count - 1))
    }
}

extension StoredTensor {
    /// A file's NCHW as an NHWC tensor.
    public var channelsLastTensor: Tensor {
        let (values, shape) = AxisOrder.channelsLast(floats, shape: shape)
        return Tensor(shape: Shape(shape), scalars: values)
    }

    /// An NHWC tensor as a file's NCHW.
    public init(name: String, channelsLast tensor: Tensor) {
        let (values, shape) = AxisOrder.channelsSecond(tensor.scalars, shape: tensor.shape.extents)
        self.init(name: name, shape: shape, floats: values)
    }
}
