import Tensors

/// Where the tokens of a sequence lie: leading condition tokens, then an image grid in row-major order.
public struct TokenLayout: Hashable, Sendable {
    /// Tokens in front that are no part of the image.
    public var prefix: Int
    /// Nil for a sequence whose tokens are not a whole grid, such as the visible tokens of a masked image.
    public var grid: TokenGrid?

    public init(prefix: Int = 0, grid: TokenGrid? = nil) {
        self.prefix = prefix
        self.grid = grid
    }

    /// Tokens of a whole sequence; nil without a grid.
    public var count: Int? { grid.map { prefix + $0.count } }
}

/// The sides of a grid of image tokens.
public struct TokenGrid: Hashable, Sendable, CustomStringConvertible {
    public var height: Int
    public var width: Int

    public init(_ height: Int, _ width: Int) {
        self.height = height
        self.width = width
    }

    public var count: Int { height * width }
    public var description: String { "\(height)×\(width)" }
}

/// Whatever lets one token see others.
///
/// `[N, L, D]` → `[N, L, D]`. A mixer that needs to know where tokens lie (a convolution, a gate for each position) takes
/// it from the layout, whose count must be L when it has a grid.
public protocol TokenMixer: Sendable {
    func callAsFunction(_ x: Tensor, layout: TokenLayout, rotation: Rotation?) -> Tensor
}

/// A token mixer in the seat of a feature map: `[N, H, W, C]` is the sequence `[N, H·W, C]` of the same bytes.
public struct TokenMixerSeat: SpatialMixer {
    public let mixer: any TokenMixer

    public init(_ mixer: any TokenMixer) { self.mixer = mixer }

    public func callAsFunction(_ x: Tensor) -> Tensor {
        let (n, h, w, c) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
        let layout = TokenLayout(grid: TokenGrid(h, w))
        return mixer(x.reshaped([n, h * w, c]), layout: layout, rotation: nil).reshaped(x.shape)
    }
}
