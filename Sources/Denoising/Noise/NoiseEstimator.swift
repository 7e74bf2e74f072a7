import Tensors

/// The noise level of an image, told from the image alone.
///
/// Chen, Zhu and Heng, *An Efficient Statistical Method for Image Noise Level Estimation* (ICCV 2015): the covariance
/// of all 8×8 patches has large eigenvalues where there is structure, and the rest equal the noise's variance. The
/// largest are left out one by one until the mean of those that remain is also their median.
/// Differs from the paper: the channels of a colour image are estimated one by one, and their variances averaged.
public enum NoiseEstimator {
    static let side = 8
    /// Fewer patches than this say nothing about 64 dimensions.
    static let fewestPatches = 256
    private static let blockSize = 4096

    /// - Parameter windows: parts of one image, `[1, H, W, C]` each, in 0…1.
    /// - Returns: σ on the 0–255 scale; nil when there are too few pixels to tell.
    /// - Throws: `LinearAlgebraError` when the values are not finite.
    public static func sigma(of windows: [Tensor]) throws -> Double? {
        guard let channels = windows.first?.shape.channels else { return nil }
        var variances = 0.0
        for channel in 0..<channels {
            guard let variance = try variance(of: windows, channel: channel) else { return nil }
            variances += variance
        }
        return (variances / Double(channels)).squareRoot() * 255
    }

    private static func variance(of windows: [Tensor], channel: Int) throws -> Double? {
        var moments = Moments(dimensions: side * side)
        for window in windows { gather(window, channel: channel, into: &moments) }
        guard moments.count >= fewestPatches else { return nil }
        let values = try LinearAlgebra.symmetricEigen(moments.covariance).values
        return smallEigenvalue(values.sorted(by: >))
    }

    /// - Parameter values: descending.
    static func smallEigenvalue(_ values: [Double]) -> Double {
        for start in values.indices {
            let tail = values[start...]
            let mean = tail.reduce(0, +) / Double(tail.count)
            if tail.count(where: { $0 > mean }) == tail.count(where: { $0 < mean }) { return max(0, mean) }
        }
        return max(0, values.last ?? 0)
    }

    private static func gather(_ window: Tensor, channel: Int, into moments: inout Moments) {
        let (height, width, channels) = (window.shape[1], window.shape[2], window.shape[3])
        guard height >= side, width >= side else { return }
        let (rows, columns) = (height - side + 1, width - side + 1)
        for first in stride(from: 0, to: rows * columns, by: blockSize) {
            let count = min(blockSize, rows * columns - first)
            let patches = Tensor.uninitialized([side * side, count])
            window.withScalars { source in
                patches.withMutableScalars { target in
                    for element in 0..<side * side {
                        let offset = (element / side * width + element % side) * channels + channel
                        for n in 0..<count {
                            let (row, column) = ((first + n) / columns, (first + n) % columns)
                            target[element * count + n] =
                                source[(row * width + column) * channels + offset]
                        }
                    }
                }
            }
            moments.add(patches)
        }
    }

    /// Sums from which a covariance follows.
    private struct Moments {
        let dimensions: Int
        private(set) var count = 0
        private var sums: [Double]
        private var products: [Double]
        /// Taken from every value, so that products stay small beside their differences.
        private var centre: Float?

        init(dimensions: Int) {
            self.dimensions = dimensions
            sums = Array(repeating: 0, count: dimensions)
            products = Array(repeating: 0, count: dimensions * dimensions)
        }

        /// - Parameter patches: `[dimensions, count]`.
        mutating func add(_ patches: Tensor) {
            let centre = self.centre ?? patches.mean().item
            self.centre = centre
            let x = patches - centre
            for (index, value) in x.linear(x).scalars.enumerated() { products[index] += Double(value) }
            let ones = Tensor(repeating: 1, shape: [1, patches.shape[1]])
            for (index, value) in x.linear(ones).scalars.enumerated() { sums[index] += Double(value) }
            count += patches.shape[1]
        }

        var covariance: Matrix {
            let n = Double(max(1, count))
            var values = products
            for i in 0..<dimensions {
                for j in 0..<dimensions {
                    values[i * dimensions + j] =
                        products[i * dimensions + j] / n - sums[i] * sums[j] / (n * n)
                }
            }
            return Matrix(rows: dimensions, columns: dimensions, values: values)
        }
    }
}
