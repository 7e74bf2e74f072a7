import Tensors

/// Convolution without bias, batch normalisation (ε = 1e-3, inference), ReLU: the unit the FID network is made of.
/// Parameters `conv.weight`, `bn.{weight, bias, running_mean, running_var}`, folded into one convolution.
struct InceptionUnit: Sendable {
    private let weight: Tensor
    private let bias: Tensor
    private let stride: Int
    private let padding: (vertical: Int, horizontal: Int)

    init(
        _ source: WeightSource, _ inputs: Int, _ outputs: Int, kernel: (Int, Int), stride: Int = 1,
        padding: (vertical: Int, horizontal: Int) = (0, 0)
    ) throws {
        let folded = try FoldedConvolution(
            weight: source("conv.weight", [outputs, inputs, kernel.0, kernel.1]),
            normalization: source / "bn",
            channels: outputs, epsilon: 1e-3)
        weight = Tensor(shape: [outputs, inputs, kernel.0, kernel.1], scalars: folded.weight)
        bias = Tensor(shape: [outputs], scalars: folded.bias)
        (self.stride, self.padding) = (stride, padding)
    }

    /// 1×1.
    init(_ source: WeightSource, _ inputs: Int, _ outputs: Int) throws {
        try self.init(source, inputs, outputs, kernel: (1, 1))
    }

    /// A kernel that keeps the size.
    init(_ source: WeightSource, _ inputs: Int, _ outputs: Int, keeping kernel: (Int, Int)) throws {
        try self.init(source, inputs, outputs, kernel: kernel, padding: (kernel.0 / 2, kernel.1 / 2))
    }

    func callAsFunction(_ x: Tensor) -> Tensor {
        let square = padding.vertical == padding.horizontal
        let padded = square ? x : x.zeroPadded(vertical: padding.vertical, horizontal: padding.horizontal)
        return padded.convolved(
            with: weight, bias: bias, stride: stride, padding: square ? padding.vertical : 0,
            activation: .relu)
    }
}

/// Units one after another.
private func chain(_ units: [InceptionUnit]) -> @Sendable (Tensor) -> Tensor {
    { x in units.reduce(x) { $1($0) } }
}

/// Branches beside one another, joined along the channels.
public struct InceptionBlock: Sendable {
    private let branches: [@Sendable (Tensor) -> Tensor]

    public func callAsFunction(_ x: Tensor) -> Tensor { .concatenateChannels(branches.map { $0(x) }) }

    /// The block of a name and a number of input channels.
    /// - Returns: the block and its number of output channels; nil for a name the network does not have.
    public static func named(_ name: String, in source: WeightSource) throws -> InceptionBlock? {
        let s = source / name
        switch name {
        case "Mixed_5b": return try wide(s, 192, pool: 32)
        case "Mixed_5c": return try wide(s, 256, pool: 64)
        case "Mixed_5d": return try wide(s, 288, pool: 64)
        case "Mixed_6a": return try reduction6(s)
        case "Mixed_6b": return try factored(s, 128)
        case "Mixed_6c", "Mixed_6d": return try factored(s, 160)
        case "Mixed_6e": return try factored(s, 192)
        case "Mixed_7a": return try reduction7(s)
        case "Mixed_7b": return try split(s, 1280, pool: .meanInside)
        case "Mixed_7c": return try split(s, 2048, pool: .max)
        default:
            guard let unit = try stem(name, in: source) else { return nil }
            return InceptionBlock(branches: [chain([unit])])
        }
    }

    /// The units before the first block.
    private static func stem(_ name: String, in source: WeightSource) throws -> InceptionUnit? {
        let s = source / name
        return switch name {
        case "Conv2d_1a_3x3": try InceptionUnit(s, 3, 32, kernel: (3, 3), stride: 2)
        case "Conv2d_2a_3x3": try InceptionUnit(s, 32, 32, kernel: (3, 3))
        case "Conv2d_2b_3x3": try InceptionUnit(s, 32, 64, keeping: (3, 3))
        case "Conv2d_3b_1x1": try InceptionUnit(s, 64, 80)
        case "Conv2d_4a_3x3": try InceptionUnit(s, 80, 192, kernel: (3, 3))
        default: nil
        }
    }

    private static func wide(_ s: WeightSource, _ inputs: Int, pool: Int) throws -> InceptionBlock {
        let one = try InceptionUnit(s / "branch1x1", inputs, 64)
        let five = chain([
            try InceptionUnit(s / "branch5x5_1", inputs, 48),
            try InceptionUnit(s / "branch5x5_2", 48, 64, keeping: (5, 5)),
        ])
        let three = chain([
            try InceptionUnit(s / "branch3x3dbl_1", inputs, 64),
            try InceptionUnit(s / "branch3x3dbl_2", 64, 96, keeping: (3, 3)),
            try InceptionUnit(s / "branch3x3dbl_3", 96, 96, keeping: (3, 3)),
        ])
        let pooled = try InceptionUnit(s / "branch_pool", inputs, pool)
        return InceptionBlock(
            branches: [
                { one($0) }, five, three, { pooled($0.pooled(.meanInside, size: 3, stride: 1, padding: 1)) },
            ])
    }

    private static func reduction6(_ s: WeightSource) throws -> InceptionBlock {
        let three = try InceptionUnit(s / "branch3x3", 288, 384, kernel: (3, 3), stride: 2)
        let double = chain([
            try InceptionUnit(s / "branch3x3dbl_1", 288, 64),
            try InceptionUnit(s / "branch3x3dbl_2", 64, 96, keeping: (3, 3)),
            try InceptionUnit(s / "branch3x3dbl_3", 96, 96, kernel: (3, 3), stride: 2),
        ])
        return InceptionBlock(branches: [{ three($0) }, double, { $0.pooled(.max, size: 3, stride: 2) }])
    }

    private static func factored(_ s: WeightSource, _ c: Int) throws -> InceptionBlock {
        let one = try InceptionUnit(s / "branch1x1", 768, 192)
        let seven = chain([
            try InceptionUnit(s / "branch7x7_1", 768, c),
            try InceptionUnit(s / "branch7x7_2", c, c, keeping: (1, 7)),
            try InceptionUnit(s / "branch7x7_3", c, 192, keeping: (7, 1)),
        ])
        let double = chain([
            try InceptionUnit(s / "branch7x7dbl_1", 768, c),
            try InceptionUnit(s / "branch7x7dbl_2", c, c, keeping: (7, 1)),
            try InceptionUnit(s / "branch7x7dbl_3", c, c, keeping: (1, 7)),
            try InceptionUnit(s / "branch7x7dbl_4", c, c, keeping: (7, 1)),
            try InceptionUnit(s / "branch7x7dbl_5", c, 192, keeping: (1, 7)),
        ])
        let pooled = try InceptionUnit(s / "branch_pool", 768, 192)
        return InceptionBlock(
            branches: [
                { one($0) }, seven, double,
                { pooled($0.pooled(.meanInside, size: 3, stride: 1, padding: 1)) },
            ]
        )
    }

    private static func reduction7(_ s: WeightSource) throws -> InceptionBlock {
        let three = chain([
            try InceptionUnit(s / "branch3x3_1", 768, 192),
            try InceptionUnit(s / "branch3x3_2", 192, 320, kernel: (3, 3), stride: 2),
        ])
        let seven = chain([
            try InceptionUnit(s / "branch7x7x3_1", 768, 192),
            try InceptionUnit(s / "branch7x7x3_2", 192, 192, keeping: (1, 7)),
            try InceptionUnit(s / "branch7x7x3_3", 192, 192, keeping: (7, 1)),
            try InceptionUnit(s / "branch7x7x3_4", 192, 192, kernel: (3, 3), stride: 2),
        ])
        return InceptionBlock(branches: [three, seven, { $0.pooled(.max, size: 3, stride: 2) }])
    }

    /// The last block pools by maximum, as the original graph does and torchvision's does not.
    private static func split(_ s: WeightSource, _ inputs: Int, pool: PoolingRule) throws -> InceptionBlock {
        let one = try InceptionUnit(s / "branch1x1", inputs, 320)
        let three = try InceptionUnit(s / "branch3x3_1", inputs, 384)
        let threeWide = try InceptionUnit(s / "branch3x3_2a", 384, 384, keeping: (1, 3))
        let threeTall = try InceptionUnit(s / "branch3x3_2b", 384, 384, keeping: (3, 1))
        let double = chain([
            try InceptionUnit(s / "branch3x3dbl_1", inputs, 448),
            try InceptionUnit(s / "branch3x3dbl_2", 448, 384, keeping: (3, 3)),
        ])
        let doubleWide = try InceptionUnit(s / "branch3x3dbl_3a", 384, 384, keeping: (1, 3))
        let doubleTall = try InceptionUnit(s / "branch3x3dbl_3b", 384, 384, keeping: (3, 1))
        let pooled = try InceptionUnit(s / "branch_pool", inputs, 192)
        return InceptionBlock(branches: [
            { one($0) },
            {
                let x = three($0)
                return .concatenateChannels([threeWide(x), threeTall(x)])
            },
            {
                let x = double($0)
                return .concatenateChannels([doubleWide(x), doubleTall(x)])
            },
            { pooled($0.pooled(pool, size: 3, stride: 1, padding: 1)) },
        ])
    }
}
