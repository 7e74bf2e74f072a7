// The largest value of every window.

extension Tensor {
    /// Max pooling of `[N, H, W, C]` with square windows inside the image.
    ///
    /// The derivative goes to the first largest value of each window, row by row, as PyTorch has it.
    /// - Parameter usesCeiling: a last, partial window counts too.
    /// - Returns: `[N, H', W', C]`, H' = (H − size)/stride + 1 rounded down, or up with `usesCeiling`.
    public func maxPooled(size: Int, stride: Int, usesCeiling: Bool = false) -> Tensor {
        precondition(
            shape.rank == 4 && size > 0 && stride > 0 && min(shape[1], shape[2]) >= (usesCeiling ? 1 : size),
            "windows of \(size) every \(stride) in \(shape)")
        let windows = PoolingWindows(shape, size: size, stride: stride, usesCeiling: usesCeiling)
        let (x, y) = (detached, Tensor.uninitialized(windows.result))
        let (input, output) = (x.base, y.mutableBase)
        perform {
            var target = output
            windows.forEach { sources in
                target.update(from: input + sources[0], count: windows.channels)
                for source in sources.dropFirst() {
                    let values = input + source
                    for c in 0..<windows.channels where values[c] > target[c] { target[c] = values[c] }
                }
                target += windows.channels
            }
        }
        let largest = y.detached
        return y.recorded([self]) { gradient, _ in
            let dx = Tensor.zeros(x.shape)
            var place = 0
            windows.forEach { sources in
                for c in 0..<windows.channels {
                    let value = largest.base[place + c]
                    // A NaN equals nothing; its window's gradient then goes to the first place, to be seen.
                    let source = sources.first { x.base[$0 + c] == value } ?? sources[0]
                    dx.mutableBase[source + c] += gradient.base[place + c]
                }
                place += windows.channels
            }
            return [dx]
        }
    }
}

/// The windows of a pooling, one after another.
private struct PoolingWindows: Sendable {
    private let count, height, width: Int
    let channels: Int
    private let size, stride: Int
    /// `[N, H', W', C]`.
    let result: Shape

    init(_ shape: Shape, size: Int, stride: Int, usesCeiling: Bool) {
        (count, height, width, channels) = (shape[0], shape[1], shape[2], shape[3])
        (self.size, self.stride) = (size, stride)
        func extent(_ length: Int) -> Int {
            (length - size + (usesCeiling ? stride - 1 : 0)) / stride + 1
        }
        result = [count, extent(height), extent(width), channels]
    }

    /// - Parameter body: receives where the channels of each place of a window begin, row by row.
    func forEach(_ body: (_ sources: [Int]) -> Void) {
        var sources: [Int] = []
        for image in 0..<count {
            for row in 0..<result[1] {
                for column in 0..<result[2] {
                    sources.removeAll(keepingCapacity: true)
                    for y in row * stride..<min(height, row * stride + size) {
                        for x in column * stride..<min(width, column * stride + size) {
                            sources.append(((image * height + y) * width + x) * channels)
                        }
                    }
                    body(sources)
                }
            }
        }
    }
}
