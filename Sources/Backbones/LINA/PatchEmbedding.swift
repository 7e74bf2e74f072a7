import Layers
import Tensors

/// Patches of an image as vectors of width D, by a convolution whose kernel is its stride.
///
/// Tokens are `[N, n, p²c]` with (row in patch, column in patch, channel), channel fastest. Parameters
/// `proj.weight [D, c, p, p]`, `proj.bias`.
public struct PatchEmbedding: Sendable {
    let weight: Tensor
    let bias: Tensor
    public let patchSize: Int
    let channels: Int

    public init(_ scope: Scope, channels: Int, width: Int, patchSize: Int, bias: Initializer? = nil) {
        self.patchSize = patchSize
        self.channels = channels
        let fan = channels * patchSize * patchSize
        weight = (scope / "proj").parameter("weight", [width, channels, patchSize, patchSize], .fanIn(fan))
        self.bias = (scope / "proj").parameter("bias", [width], bias ?? .fanIn(fan))
    }

    /// `[…, p²c]` → `[…, D]`.
    public func callAsFunction(_ tokens: Tensor) -> Tensor {
        let width = weight.shape[0]
        let matrix = weight.permuted([0, 2, 3, 1]).reshaped([width, weight.elementCount / width])
        return tokens.linear(matrix, bias: bias)
    }

    /// `[N, H, W, c]` → `[N, H/p·W/p, p²c]`.
    public static func tokens(of image: Tensor, patchSize p: Int) -> Tensor {
        precondition(
            image.shape.rank == 4 && image.shape[1] % p == 0 && image.shape[2] % p == 0,
            "\(image.shape) does not divide into \(p)×\(p) patches")
        let (n, h, w, c) = (image.shape[0], image.shape[1] / p, image.shape[2] / p, image.shape[3])
        if p == 1 { return image.reshaped([n, h * w, c]) }
        return image.reshaped([n, h, p, w, p, c]).permuted([0, 1, 3, 2, 4, 5]).reshaped([n, h * w, p * p * c])
    }

    /// The inverse of `tokens(of:patchSize:)`.
    public static func image(of tokens: Tensor, grid: TokenGrid, patchSize p: Int) -> Tensor {
        let (n, h, w, c) = (tokens.shape[0], grid.height, grid.width, tokens.shape[2] / (p * p))
        if p == 1 { return tokens.reshaped([n, h, w, c]) }
        return tokens.reshaped([n, h, w, p, p, c]).permuted([0, 1, 3, 2, 4, 5]).reshaped([n, h * p, w * p, c])
    }
}
