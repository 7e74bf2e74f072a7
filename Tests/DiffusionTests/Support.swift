import Diffusion
import Foundation
import Layers
import Tensors

/// A model of data N(mean, deviation²) per element, whose every answer and every trajectory is known exactly.
struct GaussianModel: LatentModel {
    var mean = 0.3
    var deviation = 0.5
    var prediction = Prediction.clean
    /// Answers so differently for each label that guidance has something to do.
    var labelShift = 0.0
    var answersVariance = false

    func output(_ x: Latent, at level: NoiseLevel, labels: [Int?]) -> Latent {
        let (a, b) = (level.signal, level.noise)
        let total = a * a * deviation * deviation + b * b
        var clean = x
        let size = x.sampleSize
        for i in x.values.indices {
            let center = mean + labelShift * Double(labels[i / size] ?? -1)
            clean.values[i] = center + a * deviation * deviation / total * (x.values[i] - a * center)
        }
        let noise = Latent.combine((1 / b, x), (-a / b, clean))
        let (onClean, onNoise) = prediction.targetCoefficients(at: level)
        let main = Latent.combine((onClean, clean), (onNoise, noise))
        return answersVariance ? main.joiningChannels(x.map { tanh($0) }) : main
    }

    /// Where the probability flow takes x (as x₀ + σε) from one σ to another.
    func flow(_ x: Latent, from sigma: Double, to next: Double) -> Latent {
        let ratio = ((deviation * deviation + next * next) / (deviation * deviation + sigma * sigma))
            .squareRoot()
        return x.map { mean + ($0 - mean) * ratio }
    }
}

/// Reproducible numbers of no particular distribution in −bound…bound.
func numbers(_ count: Int, seed: UInt64 = 1, bound: Double = 1) -> [Double] {
    let stream = RandomStream(seed: seed)
    return (0..<count).map { bound * (2 * stream.uniformDouble(at: UInt64($0)) - 1) }
}

func latent(_ shape: Shape, seed: UInt64 = 1, bound: Double = 1) -> Latent {
    Latent(shape: shape, values: numbers(shape.elementCount, seed: seed, bound: bound))
}

func maximumDifference(_ a: Latent, _ b: Latent) -> Double {
    zip(a.values, b.values).map { abs($0 - $1) }.max() ?? 0
}

/// Karras levels between sensible bounds, ending clean.
func sigmaGrid(_ count: Int, min low: Double = 0.02, max high: Double = 10) -> [NoiseLevel] {
    (SigmaSchedule.karras(min: low, max: high, rho: 7).sigmas(count: count) + [0])
        .map { ExplodingPath().level(sigma: $0) }
}

/// Answers input + time + label (−1 without one).
struct EchoNetwork: Denoiser {
    func predict(_ noisy: Tensor, time: [Float], labels: [Int?]) -> Tensor {
        var values = noisy.scalars
        let size = values.count / time.count
        for i in values.indices { values[i] += time[i / size] + Float(labels[i / size] ?? -1) }
        return Tensor(shape: noisy.shape, scalars: values)
    }
}
