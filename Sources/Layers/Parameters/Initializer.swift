import Tensors

/// How a parameter that no checkpoint provides gets its first values.
public enum Initializer: Sendable, Hashable {
    case zeros
    case ones
    /// Independent normal values with mean 0.
    case normal(standardDeviation: Float)
    /// The same with another deviation for each of so many equal runs of rows.
    case normalBlocks([Float])
    /// U(−b, b) with b = √(6/(fanIn + fanOut)) (Glorot and Bengio 2010).
    case xavierUniform(fanIn: Int, fanOut: Int)
    /// Independent values from an interval.
    case uniform(low: Float, high: Float)
    /// The weight `[O, …]`, seen as a matrix with O rows, has orthonormal rows (or columns, when those are fewer),
    /// times `gain` (Saxe et al. 2013).
    case orthogonal(gain: Float)
    /// Ones on the diagonal of a matrix; a matrix of several squares on top of each other has one in each, divided
    /// by their number.
    case identity
    /// These values, in memory order.
    case values([Float])
    /// Another initialiser's convolution weights times a spatial density: a standard convolution that begins where a
    /// weighted one does, which is most of what weighted convolution gains early in training.
    indirect case weighted(Initializer, KernelDensity)

    /// U(±1/√fanIn), PyTorch's default for the weight and the bias of a convolution or linear layer.
    public static func fanIn(_ count: Int) -> Initializer {
        let bound = 1 / Float(max(1, count)).squareRoot()
        return .uniform(low: -bound, high: bound)
    }

    /// Normal values of variance 2/(O·positions) (He et al. 2015, fan out, gain √2; groups are not counted).
    public static func kaimingNormalFanOut(for shape: Shape) -> Initializer {
        let fan = shape[0] * shape.extents.dropFirst(2).reduce(1, *)
        return .normal(standardDeviation: (2 / Float(max(1, fan))).squareRoot())
    }

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
        case .normalBlocks(let deviations):
            let result = stream.normals(shape)
            let run = shape.elementCount / max(1, deviations.count)
            result.withMutableScalars { scalars in
                for i in scalars.indices {
                    scalars[i] *= deviations[min(i / max(1, run), deviations.count - 1)]
                }
            }
            return result
        case .xavierUniform(let fanIn, let fanOut):
            let bound = (6 / Float(fanIn + fanOut)).squareRoot()
            let result = Tensor.uninitialized(shape)
            result.withMutableScalars { stream.fillUniforms($0) }
            return result.affine(scale: 2 * bound, shift: -bound)
        case .uniform(let low, let high):
            return stream.uniforms(shape).affine(scale: high - low, shift: low)
        case .orthogonal(let gain): return Self.orthogonal(shape, gain: gain, from: stream)
        case .identity:
            let (rows, columns) = (shape[0], shape[1])
            let value = 1 / Float(max(1, rows / max(1, columns)))
            return Tensor(
                shape: shape,
                scalars: (0..<rows * columns).map { $0 / columns % columns == $0 % columns ? value : 0 })
        case .values(let values): return Tensor(shape: shape, scalars: values)
        case .weighted(let base, let density):
            let taps = density.product(axes: shape.rank - 2)
            let rows = base.makeTensor(shape, from: stream).reshaped([
                shape.elementCount / taps.count, taps.count,
            ])
            return (rows * Tensor(shape: [taps.count], scalars: taps)).reshaped(shape)
        }
    }

    /// Gram–Schmidt in double, which is the QR factorisation with a positive diagonal.
    private static func orthogonal(_ shape: Shape, gain: Float, from stream: RandomStream) -> Tensor {
        let (rows, columns) = (shape[0], shape.elementCount / max(1, shape[0]))
        let normals = stream.normals(shape).scalars.map(Double.init)
        // The shorter side counts the vectors that become orthonormal.
        let (count, length) = (min(rows, columns), max(rows, columns))
        var vectors = (0..<count).map { v in
            (0..<length).map { normals[rows <= columns ? v * columns + $0 : $0 * columns + v] }
        }
        for v in 0..<count {
            for _ in 0..<2 {  // The second round removes what rounding left.
                for u in 0..<v {
                    let overlap = zip(vectors[v], vectors[u]).reduce(0) { $0 + $1.0 * $1.1 }
                    for i in 0..<length { vectors[v][i] -= overlap * vectors[u][i] }
                }
            }
            let norm = vectors[v].reduce(0) { $0 + $1 * $1 }.squareRoot()
            for i in 0..<length { vectors[v][i] /= norm }
        }
        let scalars = (0..<rows * columns).map { index -> Float in
            let (row, column) = (index / columns, index % columns)
            return gain * Float(rows <= columns ? vectors[row][column] : vectors[column][row])
        }
        return Tensor(shape: shape, scalars: scalars)
    }
}
