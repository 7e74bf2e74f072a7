import Tensors

/// How a parameter that no checkpoint provides gets its first values.
public enum Initializer: Sendable, Hashable {
    case zeros
    case ones
    /// Independent normal values with mean 0.
    case normal(standardDeviation: Float)
    /// U(−b, b) with b = √(6/(fanIn + fanOut)) (Glorot and Bengio 2010).
    case xavierUniform(fanIn: Int, fanOut: Int)

    /// Xavier for a weight `[O, I, …]`, as PyTorch counts: every kernel position belongs to both fans.
    public static func xavierUniform(for shape: Shape) -> Initializer {
        let positions = shape.extents.dropFirst(2).reduce(1, *)
        return .xavierUniform(fanIn: shape[1] * positions, fanOut: shape[0] * positions)
    }

    /// - Parameter stream: draws depend on its seed and name only, so one parameter's values never depend on
    ///   which others a model has.
    func makeTensor(_ shape: Shape, from stream: RandomStream) -> Tensor {
        switch self {
        case .zeros: return .zeros(shape)
        case .ones: return Tensor(repeating: 1, shape: shape)
        case .normal(let deviation):
            return stream.normals(shape) * deviation
        case .xavierUniform(let fanIn, let fanOut):
            let bound = (6 / Float(fanIn + fanOut)).squareRoot()
            let result = Tensor.uninitialized(shape)
            result.withMutableScalars { stream.fillUniforms($0) }
            return result.affine(scale: 2 * bound, shift: -bound)
        }
    }
}
