// Means over boxes of pixels.

extension Tensor {
    /// Means over every box of `kernelHeight` × `kernelWidth` pixels inside the image, at stride 1:
    /// `[N, H, W, C]` → `[N, H − kernelHeight + 1, W − kernelWidth + 1, C]`.
    ///
    /// Running sums in double: the cost does not depend on the box, and no digits are lost on large maps.
    public func boxMean(kernelHeight: Int, kernelWidth: Int) -> Tensor {
        precondition(
            shape.rank == 4 && (1...max(1, shape[1])).contains(kernelHeight)
                && (1...max(1, shape[2])).contains(kernelWidth),
            "boxes of \(kernelHeight)×\(kernelWidth) in \(shape)")
        let (n, h, w, c) = (shape[0], shape[1], shape[2], shape[3])
        let y = Tensor.uninitialized([n, h - kernelHeight + 1, w - kernelWidth + 1, c])
        backend.boxSum(
            base, y.mutableBase, samples: n, height: h, width: w, channels: c, kernelHeight: kernelHeight,
            kernelWidth: kernelWidth, scale: 1 / Float(kernelHeight * kernelWidth))
        return y.recorded([self]) { gradient, _ in
            // A pixel receives the mean over the boxes that contain it.
            let (v, h) = (kernelHeight - 1, kernelWidth - 1)
            return [
                gradient.padded(top: v, left: h, bottom: v, right: h)
                    .boxMean(kernelHeight: kernelHeight, kernelWidth: kernelWidth)
            ]
        }
    }

    /// Whether this map is larger than a box in either direction, so that local means differ from the global one.
    /// - Parameter box: nil for one that covers every map.
    public func exceeds(_ box: (height: Int, width: Int)?) -> Bool {
        box.map { $0.height < shape[1] || $0.width < shape[2] } ?? false
    }

    /// The local mean that replaces a network's global one at other sizes than it was trained on (TLC,
    /// arXiv 2112.04491; megvii-research/NAFNet, `local_arch.py`, `AvgPool2d`).
    ///
    /// Box means, replicated at the borders to the size of the map: left and top ⌊(k − 1)/2⌋. A box larger than the
    /// map shrinks to it; one that covers it both ways gives the global mean.
    /// - Returns: `[N, H, W, C]`, or `[N, 1, 1, C]` for the global mean.
    public func localMean(kernelHeight: Int, kernelWidth: Int) -> Tensor {
        guard exceeds((kernelHeight, kernelWidth)) else {
            return boxMean(kernelHeight: shape[1], kernelWidth: shape[2])
        }
        let (kh, kw) = (min(kernelHeight, shape[1]), min(kernelWidth, shape[2]))
        let (top, left) = ((kh - 1) / 2, (kw - 1) / 2)
        return boxMean(kernelHeight: kh, kernelWidth: kw).padded(
            top: top, left: left, bottom: kh - 1 - top, right: kw - 1 - left, mode: .replicate)
    }
}
