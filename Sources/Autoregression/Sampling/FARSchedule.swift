import Foundation
import Layers
import Tensors

/// The levels of FAR (arXiv 2503.05305; yuhuUSTC/FAR, `models/far.py`): how strongly each is filtered, guided
/// and heated.
public struct FARSchedule: Hashable, Sendable {
    /// Side to which the image so far is reduced before each step; 0 for nothing at all.
    public var levels: [Int]
    public var guidanceScale: Double

    /// The sampler without masks.
    public static let levels = [0, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    /// The sampler with masks.
    public static let maskedLevels = [0, 12, 12, 4, 5, 6, 7, 8, 9, 10, 11]

    public init(levels: [Int] = FARSchedule.levels, guidanceScale: Double = 1) {
        self.levels = levels
        self.guidanceScale = guidanceScale
    }

    /// w in unconditional + w·(conditional − unconditional).
    public func guidance(step: Int) -> Double {
        1 + (guidanceScale - 1) * Double(step) / Double(max(1, levels.count))
    }

    /// Factor on the noise of the head's reverse steps.
    public func temperature(step: Int) -> Double {
        0.8 + (1 - cos(.pi / 2 * Double(step + 1) / Double(max(1, levels.count)))) * (1 - 0.8)
    }

    /// Weight of each of `count` levels in the loss, 1 + sin(π/2·(k + 1)/count).
    public static func lossWeights(count: Int) -> [Double] {
        (0..<count).map { 1 + sin(.pi / 2 * Double($0 + 1) / Double(count)) }
    }

    /// An image as a level sees it: area-averaged to level×level and bicubically enlarged again; zeros at
    /// level 0.
    public static func filtered(_ x: Tensor, level: Int) -> Tensor {
        guard level > 0 else { return .zeros(x.shape) }
        let small = SeparableMap(.area, from: x.grid, to: Grid(level))
        return SeparableMap(.bicubic, from: Grid(level), to: x.grid)(small(x))
    }
}
