import Layers
import Tensors

/// Halves the resolution and doubles the width: 3×3 convolution to C/2, then space to depth.
///
/// `[N, H, W, C]` → `[N, H/2, W/2, 2C]`. Parameter `body.0.weight [C/2, C, 3, 3]`.
public struct Downsample: Sendable {
    let convolution: Convolution

    public init(_ scope: Scope, channels: Int, kernel: ConvolutionKernel = .standard) {
        convolution = Convolution(
            scope / "body.0", channels, channels / 2, kernel: 3, hasBias: false, form: kernel)
    }

    public func callAsFunction(_ x: Tensor, tuning: Tensor? = nil) -> Tensor {
        convolution(x, tuning: tuning).pixelUnshuffled(by: 2)
    }
}

/// Doubles the resolution and halves the width: 3×3 convolution to 2C, then depth to space.
///
/// `[N, H, W, C]` → `[N, 2H, 2W, C/2]`. Parameter `body.0.weight [2C, C, 3, 3]`.
public struct Upsample: Sendable {
    let convolution: Convolution

    public init(_ scope: Scope, channels: Int, kernel: ConvolutionKernel = .standard) {
        convolution = Convolution(
            scope / "body.0", channels, 2 * channels, kernel: 3, hasBias: false, form: kernel)
    }

    public func callAsFunction(_ x: Tensor, tuning: Tensor? = nil) -> Tensor {
        convolution(x, tuning: tuning).pixelShuffled(by: 2)
    }
}

/// Class tables of the three levels, widths D, 2D, 4D; the last row, when there is one, means "no class".
///
/// Parameters `embedding_table_{0,1,2}.weight [K or K+1, width]`.
public struct LabelEmbedder: Sendable {
    let tables: [Tensor]
    let classCount: Int
    let hasNullClass: Bool

    public init(_ scope: Scope, classCount: Int, hasNullClass: Bool, widths: [Int]) {
        self.classCount = classCount
        self.hasNullClass = hasNullClass
        let rows = classCount + (hasNullClass ? 1 : 0)
        tables = widths.enumerated().map { level, width in
            (scope / "embedding_table_\(level)").parameter(
                "weight", [rows, width], .normal(standardDeviation: 0.02))
        }
    }

    /// N labels → `[N, width of the level]`; nil is the null class.
    public func callAsFunction(_ labels: [Int?], level: Int) -> Tensor {
        precondition(
            hasNullClass || !labels.contains(nil),
            "a model without a null class has no unconditional prediction")
        return tables[level].gatheringRows(labels.map { $0 ?? classCount })
    }
}

/// Modulated norm and a 3×3 convolution to the output channels.
///
/// `[N, H, W, C]`, condition `[N, C]` → `[N, H, W, O]`. Parameters `adaLN_modulation.1`, `out_proj`.
public struct FinalLayer: Sendable {
    let modulation: Linear
    let project: Convolution

    public init(_ scope: Scope, channels: Int, outputs: Int, kernel: ConvolutionKernel = .standard) {
        modulation = Linear(scope / "adaLN_modulation.1", channels, 2 * channels, weight: .zeros)
        project = Convolution(
            scope / "out_proj", channels, outputs, kernel: 3, form: kernel, weight: .zeros)
    }

    /// Shift and scale.
    static let modulationCount = 2

    /// What the layer takes from the condition: shift and scale, each `[N, C]`.
    func modulationVectors(_ c: Tensor) -> [Tensor] { modulation(silu(c)).chunks(Self.modulationCount) }

    public func callAsFunction(_ x: Tensor, condition c: Tensor, tuning: Tensor? = nil) -> Tensor {
        self(x, modulation: modulationVectors(c), tuning: tuning)
    }

    /// - Parameter m: the layer's `modulationVectors`.
    func callAsFunction(_ x: Tensor, modulation m: [Tensor], tuning: Tensor? = nil) -> Tensor {
        project(
            x.layerNorm(shift: m[0], scale: m[1], epsilon: DiCoBlock.epsilon), tuning: tuning)
    }
}
