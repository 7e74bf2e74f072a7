/// One pass of resampling over the middle axis of `[outer, size, inner]`: with `inner` the channels it is the
/// horizontal pass, with `inner` a whole row the vertical one.
struct ResamplePass {
    let outer: Int
    let inputSize: Int
    let outputSize: Int
    let inner: Int
    let weights: ResampleWeights

    init(outer: Int, from inputSize: Int, to outputSize: Int, inner: Int, weights: ResampleWeights) {
        (self.outer, self.inputSize, self.outputSize, self.inner) = (outer, inputSize, outputSize, inner)
        self.weights = weights
    }

    var outputCount: Int { outer * outputSize * inner }

    /// 8-bit samples: fixed-point sums from one half, an arithmetic shift, and a clamp.
    func callAsFunction(_ input: [UInt8]) -> [UInt8] {
        let fixed = weights.fixedPoint
        return apply(input) { source, target, output in
            let first = weights.starts[output]
            fixed.withUnsafeBufferPointer { fixed in
                let row = fixed.baseAddress.unsafelyUnwrapped + output * weights.width
                for i in 0..<inner {
                    var sum: Int32 = 1 << 21
                    var position = first * inner + i
                    for k in 0..<weights.counts[output] {
                        sum &+= Int32(source[position]) &* row[k]
                        position += inner
                    }
                    target[i] = UInt8(clamping: sum >> 22)
                }
            }
        }
    }

    /// 16-bit samples: sums in double precision, rounded half away from zero and clamped.
    func callAsFunction(_ input: [UInt16]) -> [UInt16] {
        apply(input) { source, target, output in
            sum(source, output) {
                target[$0] = UInt16(min(max($1.rounded(.toNearestOrAwayFromZero), 0), 65_535))
            }
        }
    }

    /// Floats (Pillow's mode `F`): sums in double precision, stored in single, never clamped.
    func callAsFunction(_ input: [Float]) -> [Float] {
        apply(input) { source, target, output in
            sum(source, output) { target[$0] = Float($1) }
        }
    }

    @inline(__always) private func sum<Sample: ResampleSample>(
        _ source: UnsafePointer<Sample>, _ output: Int, store: (Int, Double) -> Void
    ) {
        let first = weights.starts[output]
        weights.weights.withUnsafeBufferPointer { weights in
            let row = weights.baseAddress.unsafelyUnwrapped + output * self.weights.width
            for i in 0..<inner {
                var sum = 0.0
                for k in 0..<self.weights.counts[output] {
                    sum += source[(first + k) * inner + i].real * row[k]
                }
                store(i, sum)
            }
        }
    }

    @inline(__always) private func apply<Sample>(
        _ input: [Sample], _ body: (UnsafePointer<Sample>, UnsafeMutablePointer<Sample>, Int) -> Void
    ) -> [Sample] {
        precondition(input.count == outer * inputSize * inner, "the pass does not fit its input")
        return input.withUnsafeBufferPointer { source in
            [Sample](unsafeUninitializedCapacity: outputCount) { target, count in
                count = outputCount
                guard let from = source.baseAddress, let to = target.baseAddress else { return }
                for row in 0..<outer {
                    for output in 0..<outputSize {
                        body(from + row * inputSize * inner, to + (row * outputSize + output) * inner, output)
                    }
                }
            }
        }
    }
}

/// A sample that can be summed in double precision.
protocol ResampleSample {
    var real: Double { get }
}
extension UInt16: ResampleSample {
    @inline(__always) var real: Double { Double(self) }
}
extension Float: ResampleSample {
    @inline(__always) var real: Double { Double(self) }
}
