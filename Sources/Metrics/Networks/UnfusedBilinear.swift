import Tensors

extension Tensor {
    /// PyTorch's bilinear `interpolate` (corners not aligned, no antialiasing) of an image `[H, W, C]` to a size with
    /// height + width above 128.
    ///
    /// There PyTorch runs another kernel than for small outputs (`Interpolation.bilinear`), one that rounds the
    /// product of a position before subtracting the half pixel. The two differ by up to 4e-3 of 255.
    func interpolatedUnfused(height: Int, width: Int) -> Tensor {
        let (h, w, c) = (shape[0], shape[1], shape[2])
        let columns = blended(scalars, outer: h, from: w, to: width, inner: c)
        return Tensor(
            shape: [height, width, c],
            scalars: blended(columns, outer: 1, from: h, to: height, inner: width * c))
    }

    /// Along the middle axis of `[outer, from, inner]`.
    private func blended(_ values: [Float], outer: Int, from: Int, to: Int, inner: Int) -> [Float] {
        let scale = Float(from) / Float(to)
        var result = [Float](repeating: 0, count: outer * to * inner)
        for position in 0..<to {
            let product = (Float(position) + 0.5) * scale
            let x = max(product - 0.5, 0)
            let low = min(Int(x), from - 1)
            let high = min(low + 1, from - 1)
            let t = x - Float(low)
            for o in 0..<outer {
                let target = (o * to + position) * inner
                let (a, b) = ((o * from + low) * inner, (o * from + high) * inner)
                for i in 0..<inner { result[target + i] = values[a + i] * (1 - t) + values[b + i] * t }
            }
        }
        return result
    }
}
