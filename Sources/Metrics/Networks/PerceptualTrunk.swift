import Tensors

/// The convolutional networks that LPIPS looks through, up to their last tap: torchvision's AlexNet, VGG-16 and
/// SqueezeNet 1.1, with parameters `features.N.{weight, bias}` (SqueezeNet: `features.N.{squeeze, expand1x1,
/// expand3x3}.…`).
struct PerceptualTrunk: Sendable {
    private enum Step {
        case convolution(index: Int, inputs: Int, outputs: Int, kernel: Int, stride: Int, padding: Int)
        /// SqueezeNet's module: 1×1 to fewer channels, then 1×1 and 3×3 beside one another.
        case fire(index: Int, inputs: Int, squeezed: Int, expanded: Int)
        case maximum(size: Int, usesCeiling: Bool)
        case tap
    }

    private let operations: [@Sendable (Tensor) -> Tensor]
    private let tapPositions: Set<Int>

    init(_ backbone: PerceptualDistance.Backbone, _ source: WeightSource) throws {
        var operations: [@Sendable (Tensor) -> Tensor] = []
        var taps: Set<Int> = []
        for step in Self.steps(backbone) {
            switch step {
            case .tap: taps.insert(operations.count)
            case .maximum(let size, let usesCeiling):
                operations.append { $0.maxPooled(size: size, stride: 2, usesCeiling: usesCeiling) }
            case .convolution(let index, let inputs, let outputs, let kernel, let stride, let padding):
                operations.append(
                    try Self.convolution(
                        source / "features" / "\(index)", inputs, outputs, kernel, stride: stride,
                        padding: padding))
            case .fire(let index, let inputs, let squeezed, let expanded):
                let module = source / "features" / "\(index)"
                let squeeze = try Self.convolution(module / "squeeze", inputs, squeezed, 1)
                let small = try Self.convolution(module / "expand1x1", squeezed, expanded, 1)
                let large = try Self.convolution(module / "expand3x3", squeezed, expanded, 3, padding: 1)
                operations.append { x in
                    let narrow = squeeze(x)
                    return .concatenateChannels([small(narrow), large(narrow)])
                }
            }
        }
        (self.operations, tapPositions) = (operations, taps)
    }

    /// The values after the ReLU of every tap, for scaled images `[N, H, W, 3]`, with their derivative.
    func taps(_ images: Tensor) -> [Tensor] {
        var (x, taps) = (images, [Tensor]())
        for (position, operation) in operations.enumerated() {
            x = operation(x)
            if tapPositions.contains(position + 1) { taps.append(x) }
        }
        return taps
    }

    private static func convolution(
        _ source: WeightSource, _ inputs: Int, _ outputs: Int, _ kernel: Int, stride: Int = 1,
        padding: Int = 0
    ) throws -> @Sendable (Tensor) -> Tensor {
        let weight = Tensor(
            shape: [outputs, inputs, kernel, kernel],
            scalars: try source("weight", [outputs, inputs, kernel, kernel]))
        let bias = Tensor(shape: [outputs], scalars: try source("bias", [outputs]))
        return {
            $0.convolved(with: weight, bias: bias, stride: stride, padding: padding, activation: .relu)
        }
    }

    private static func steps(_ backbone: PerceptualDistance.Backbone) -> [Step] {
        switch backbone {
        case .alex: alexNet
        case .vgg: vgg16
        case .squeeze: squeezeNet
        }
    }

    private static let alexNet: [Step] = [
        .convolution(index: 0, inputs: 3, outputs: 64, kernel: 11, stride: 4, padding: 2), .tap,
        .maximum(size: 3, usesCeiling: false),
        .convolution(index: 3, inputs: 64, outputs: 192, kernel: 5, stride: 1, padding: 2), .tap,
        .maximum(size: 3, usesCeiling: false),
        .convolution(index: 6, inputs: 192, outputs: 384, kernel: 3, stride: 1, padding: 1), .tap,
        .convolution(index: 8, inputs: 384, outputs: 256, kernel: 3, stride: 1, padding: 1), .tap,
        .convolution(index: 10, inputs: 256, outputs: 256, kernel: 3, stride: 1, padding: 1), .tap,
    ]

    private static let vgg16: [Step] = {
        let stages: [(indices: [Int], channels: Int)] = [
            ([0, 2], 64), ([5, 7], 128), ([10, 12, 14], 256), ([17, 19, 21], 512), ([24, 26, 28], 512),
        ]
        var (steps, inputs) = ([Step](), 3)
        for (stage, part) in stages.enumerated() {
            if stage > 0 { steps.append(.maximum(size: 2, usesCeiling: false)) }
            for index in part.indices {
                steps.append(
                    .convolution(
                        index: index, inputs: inputs, outputs: part.channels, kernel: 3, stride: 1, padding: 1
                    ))
                inputs = part.channels
            }
            steps.append(.tap)
        }
        return steps
    }()

    private static let squeezeNet: [Step] = [
        .convolution(index: 0, inputs: 3, outputs: 64, kernel: 3, stride: 2, padding: 0), .tap,
        .maximum(size: 3, usesCeiling: true),
        .fire(index: 3, inputs: 64, squeezed: 16, expanded: 64),
        .fire(index: 4, inputs: 128, squeezed: 16, expanded: 64), .tap,
        .maximum(size: 3, usesCeiling: true),
        .fire(index: 6, inputs: 128, squeezed: 32, expanded: 128),
        .fire(index: 7, inputs: 256, squeezed: 32, expanded: 128), .tap,
        .maximum(size: 3, usesCeiling: true),
        .fire(index: 9, inputs: 256, squeezed: 48, expanded: 192), .tap,
        .fire(index: 10, inputs: 384, squeezed: 48, expanded: 192), .tap,
        .fire(index: 11, inputs: 384, squeezed: 64, expanded: 256), .tap,
        .fire(index: 12, inputs: 512, squeezed: 64, expanded: 256), .tap,
    ]
}
