import TestSupport
import Testing

@testable import Tensors

/// The operations of image-restoration networks: normalisation over a batch, gates, boxes, padding, convolutions
/// made of the plain one.
@Suite struct RestorationOperationTests {
    static let images: [Shape] = [[1, 3, 5, 4], [3, 2, 4, 2], [1, 7, 1, 18]]
    let random = RandomStream(seed: 11)

    private func normals(_ shape: Shape, _ stream: UInt64 = 0) -> Tensor {
        random.stream(stream).normals(shape)
    }

    private func check(
        _ inputs: [Tensor], within tolerance: Double = 1e-3, _ function: @escaping ([Tensor]) -> Tensor,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        expectDerivative(of: function, at: inputs, within: tolerance, sourceLocation: sourceLocation)
    }

    @Test(arguments: images) func `batch norm with the batch's own statistics`(_ shape: Shape) {
        let vector: Shape = [shape.channels]
        check([normals(shape, 1) * 2, normals(vector, 2), normals(vector, 3)], within: 2e-3) {
            let s = $0[0].channelStatistics()
            return $0[0].batchNorm(
                weight: $0[1], bias: $0[2], mean: s.mean, variance: s.variance, epsilon: 0.1, areOwn: true)
        }
    }

    @Test(arguments: images) func `batch norm with given statistics`(_ shape: Shape) {
        let vector: Shape = [shape.channels]
        let (mean, variance) = (normals(vector, 4), random.stream(5).uniforms(vector) + 0.5)
        check([normals(shape, 1), normals(vector, 2), normals(vector, 3)]) {
            $0[0].batchNorm(
                weight: $0[1], bias: $0[2], mean: mean, variance: variance, epsilon: 1e-4, areOwn: false)
        }
    }

    @Test(arguments: images) func `statistics are those of every channel`(_ shape: Shape) {
        let x = normals(shape) + 3
        let s = x.channelStatistics()
        let (values, channels) = (x.scalars, shape.channels)
        for c in 0..<channels {
            let own = stride(from: c, to: values.count, by: channels).map { Double(values[$0]) }
            let mean = own.reduce(0, +) / Double(own.count)
            let variance = own.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(own.count)
            #expect(abs(Double(s.mean.scalars[c]) - mean) < 1e-5)
            #expect(abs(Double(s.variance.scalars[c]) - variance) < 1e-5)
        }
    }

    @Test(arguments: images) func `gates and scaled residuals`(_ shape: Shape) {
        check([normals(shape)]) { $0[0].simpleGate() }
        check([normals(shape, 1), normals(shape, 2), normals([shape.channels], 3)]) {
            $0[0].addingScaled($0[1], by: $0[2])
        }
    }

    @Test(arguments: [[1, 3, 5, 6], [3, 2, 3, 17]] as [Shape]) func `affine layer norm`(_ shape: Shape) {
        let vector: Shape = [shape.channels]
        check([normals(shape, 1), normals(vector, 2), normals(vector, 3)], within: 2e-3) {
            $0[0].layerNorm(weight: $0[1], bias: $0[2], epsilon: 1e-2)
        }
    }

    @Test(arguments: PaddingMode.allCases) func `padding`(_ mode: PaddingMode) {
        for shape in [[1, 3, 5, 2], [3, 4, 2, 3]] as [Shape] {
            check([normals(shape)]) {
                $0[0].padded(top: 1, left: 0, bottom: 2, right: 3, mode: mode)
            }
        }
    }

    @Test(
        arguments: [
            (PaddingMode.zeros, [0, 0, 1, 2, 3, 0, 0]), (.replicate, [1, 1, 1, 2, 3, 3, 3]),
            (.reflect, [3, 2, 1, 2, 3, 2, 1]),
        ] as [(PaddingMode, [Float])])
    func `padding continues a row`(_ mode: PaddingMode, _ expected: [Float]) {
        let row = Tensor(shape: [1, 1, 3, 1], scalars: [1, 2, 3])
        #expect(row.padded(left: 2, right: 2, mode: mode).scalars == expected)
        let column = row.reshaped([1, 3, 1, 1])
        #expect(column.padded(top: 2, bottom: 2, mode: mode).scalars == expected)
    }

    @Test func `reflection goes on beyond the opposite border`() {
        let row = Tensor(shape: [1, 1, 3, 1], scalars: [1, 2, 3])
        #expect(row.padded(right: 5, mode: .reflect).scalars == [1, 2, 3, 2, 1, 2, 3, 2])
        let one = Tensor(shape: [1, 1, 1, 1], scalars: [7])
        #expect(one.padded(right: 2, mode: .reflect).scalars == [7, 7, 7])
    }

    @Test func `cropping and turning`() {
        for shape in [[1, 4, 5, 3], [3, 3, 4, 1]] as [Shape] {
            let x = normals(shape)
            check([x]) { $0[0].cropped(rows: 1..<3, columns: 2..<4) }
            check([x]) { $0[0].flippedRows }
            check([x]) { $0[0].flippedColumns }
            check([x]) { $0[0].transposedPixels }
            #expect(x.flippedRows.flippedRows.scalars == x.scalars)
            #expect(x.transposedPixels.transposedPixels.scalars == x.scalars)
        }
        let x = Tensor(shape: [1, 2, 3, 1], scalars: [1, 2, 3, 4, 5, 6])
        #expect(x.transposedPixels.scalars == [1, 4, 2, 5, 3, 6])
        #expect(x.cropped(rows: 1..<2, columns: 1..<3).scalars == [5, 6])
    }

    @Test(arguments: [(1, 1), (2, 3), (3, 2), (4, 5)]) func `box means`(_ kh: Int, _ kw: Int) {
        for shape in [[1, 4, 5, 3], [3, 6, 5, 2]] as [Shape] {
            check([normals(shape)]) { $0[0].boxMean(kernelHeight: kh, kernelWidth: kw) }
            check([normals(shape)]) { $0[0].localMean(kernelHeight: kh, kernelWidth: kw) }
        }
    }

    @Test func `box means keep their digits on a large map`() {
        let x = normals([2, 150, 70, 3]) + 1000
        let y = x.boxMean(kernelHeight: 9, kernelWidth: 7)
        let values = x.scalars
        for (n, i, j, c) in [(0, 0, 0, 0), (1, 141, 63, 2), (0, 70, 30, 1), (1, 64, 1, 0)] {
            var sum = 0.0
            for a in 0..<9 {
                for b in 0..<7 { sum += Double(values[((n * 150 + i + a) * 70 + j + b) * 3 + c]) }
            }
            let found = Double(y.scalars[((n * 142 + i) * 64 + j) * 3 + c])
            #expect(abs(found - sum / 63) < 1e-4)
        }
    }

    @Test(arguments: [(2, 2, 0, 1), (3, 2, 1, 1), (3, 1, 1, 2), (4, 3, 0, 2)])
    func `transposed convolution`(_ kernel: Int, _ stride: Int, _ padding: Int, _ groups: Int) {
        for batch in [1, 3] {
            let (x, w) = (
                normals([batch, 3, 4, 2 * groups], 1), normals([2 * groups, 3, kernel, kernel], 2)
            )
            check([x, w]) {
                $0[0].transposedConvolved(with: $0[1], stride: stride, padding: padding, groups: groups)
            }
        }
    }

    @Test func `transposed convolution is the transpose of the convolution`() {
        let (x, w) = (normals([2, 3, 4, 5], 1), normals([5, 3, 3, 3], 2))
        let y = x.transposedConvolved(with: w, stride: 2, padding: 1)
        #expect(y.shape == [2, 5, 7, 3])
        let z = normals(y.shape, 3)
        let (a, b) = (Tensor.dot(y, z), Tensor.dot(x, z.convolved(with: w, stride: 2, padding: 1)))
        #expect(abs(a - b) < 1e-4 * abs(a))
    }

    @Test(arguments: [(1, 1, 1), (3, 2, 1), (3, 1, 4)])
    func `convolution with each sample's own weights`(_ kernel: Int, _ stride: Int, _ groups: Int) {
        for batch in [1, 3] {
            let x = normals([batch, 5, 4, 4], 1)
            let w = normals([batch, 8, 4 / groups, kernel, kernel], 2)
            check([x, w, normals([batch, 8], 3)]) {
                $0[0].convolved(
                    withEach: $0[1], bias: $0[2], stride: stride, padding: kernel / 2, groups: groups)
            }
        }
    }

    @Test func `matrix product`() {
        check([normals([3, 4], 1), normals([4, 5], 2)]) { $0[0].multiplied(by: $0[1]) }
    }
}
