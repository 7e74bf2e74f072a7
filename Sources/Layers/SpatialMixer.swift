import Tensors

/// The exchangeable seat in a backbone's block: whatever lets one position see others.
///
/// `[N, H, W, C]` → `[N, H, W, C]` for any H and W, with derivatives. DiCo's convolution module is one; linear
/// attention and other operators take the same seat.
public protocol SpatialMixer: Sendable {
    func callAsFunction(_ x: Tensor) -> Tensor
}
