import Foundation
import Tensors

/// How far a restored image is from its target.
public enum RestorationLoss: Sendable, Hashable {
    /// mean |d|
    case l1
    /// mean d²
    case l2
    /// ½ Σ d² over a sample (DnCNN); Adam does not see the scale, SGD does.
    case halfSquaredSum
    /// mean √(d² + ε²)
    case charbonnier(epsilon: Float)
    /// 10·log₁₀(mean d² + 1e-8), the negative of the PSNR for values in 0…1 (NAFNet).
    case psnr
    /// The same on the luma 65.481·R + 128.553·G + 24.966·B + 16 over 255.
    case psnrLuma

    /// The loss of each sample.
    /// - Parameters:
    ///   - prediction: `[N, H, W, C]`.
    ///   - target: of the same shape; gradients reach it too.
    /// - Returns: `[N, 1]`.
    public func perSample(_ prediction: Tensor, _ target: Tensor) -> Tensor {
        precondition(
            prediction.shape == target.shape && prediction.shape.rank == 4,
            "a loss between \(prediction.shape) and \(target.shape)")
        switch self {
        case .l1: return Self.mean((prediction - target).absolute)
        case .l2: return Self.mean((prediction - target).squared)
        case .halfSquaredSum:
            let count = prediction.elementCount / max(1, prediction.shape[0])
            return Self.mean((prediction - target).squared) * (0.5 * Float(count))
        case .charbonnier(let epsilon):
            return Self.mean(((prediction - target).squared + epsilon * epsilon).squareRoot)
        case .psnr: return Self.decibels((prediction - target).squared)
        case .psnrLuma:
            return Self.decibels((Self.luma(prediction) - Self.luma(target)).squared)
        }
    }

    /// The loss of a batch, shape `[]`: the mean over samples, or for `halfSquaredSum` their sum, as published.
    public func callAsFunction(_ prediction: Tensor, _ target: Tensor) -> Tensor {
        let losses = perSample(prediction, target)
        return self == .halfSquaredSum ? losses.sum() : losses.mean()
    }

    /// Mean over everything but the samples: `[N, H, W, C]` → `[N, 1]`.
    private static func mean(_ x: Tensor) -> Tensor {
        let channels = x.shape.channels
        return x.spatialMean().linear(Tensor(repeating: 1 / Float(channels), shape: [1, channels]))
    }

    private static func decibels(_ squares: Tensor) -> Tensor {
        log(mean(squares) + 1e-8) * Float(10 / Foundation.log(10.0))
    }

    private static func luma(_ x: Tensor) -> Tensor {
        precondition(x.shape.channels == 3, "luma is of three channels, not \(x.shape)")
        let weights = [65.481, 128.553, 24.966].map { Float($0 / 255) }
        return x.linear(Tensor(shape: [1, 3], scalars: weights)) + Float(16.0 / 255)
    }
}
