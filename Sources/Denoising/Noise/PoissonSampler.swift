import Foundation
import Tensors

/// Poisson numbers of any mean from one random stream, in order.
///
/// Small means by multiplying uniforms, means from 10 on by transformed rejection (Hörmann 1993, algorithm PTRS).
struct PoissonSampler {
    private let stream: RandomStream
    private var used: UInt64 = 0

    init(_ stream: RandomStream) { self.stream = stream }

    private mutating func uniform() -> Double {
        defer { used += 1 }
        return stream.uniformDouble(at: used)
    }

    mutating func draw(mean: Double) -> Double {
        if mean <= 0 { return 0 }
        return mean < 10 ? small(mean) : large(mean)
    }

    private mutating func small(_ mean: Double) -> Double {
        let limit = exp(-mean)
        var product = uniform()
        var count = 0.0
        while product > limit {
            product *= uniform()
            count += 1
        }
        return count
    }

    private mutating func large(_ mean: Double) -> Double {
        let b = 0.931 + 2.53 * mean.squareRoot()
        let a = -0.059 + 0.02483 * b
        let inverseAlpha = 1.1239 + 1.1328 / (b - 3.4)
        let bound = 0.9277 - 3.6224 / (b - 2)
        while true {
            let u = uniform() - 0.5
            let v = uniform()
            let distance = 0.5 - abs(u)
            let k = ((2 * a / distance + b) * u + mean + 0.43).rounded(.down)
            if distance >= 0.07, v <= bound { return k }
            if k < 0 || (distance < 0.013 && v > distance) { continue }
            let accepted = log(v) + log(inverseAlpha) - log(a / (distance * distance) + b)
            if accepted <= -mean + k * log(mean) - lgamma(k + 1) { return k }
        }
    }
}
