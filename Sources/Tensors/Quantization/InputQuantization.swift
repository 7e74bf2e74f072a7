/// How the scalars that a product takes in become 8-bit integers: x ≈ scale·(q − zeroPoint), one scale for a whole tensor.
public struct InputQuantization: Sendable, Hashable {
    /// Positive.
    public var scale: Float
    /// The integer that stands for 0; 0 where q is signed.
    public var zeroPoint: Int
    /// Whether q is in −128…127, or else in 0…255.
    public var isSigned: Bool

    public init(scale: Float, zeroPoint: Int = 0, isSigned: Bool) {
        self.scale = scale
        self.zeroPoint = zeroPoint
        self.isSigned = isSigned
    }

    var range: ClosedRange<Float> { isSigned ? -128...127 : 0...255 }

    /// The integers that represent `low…high`.
    /// - Parameter isAffine: whether 0 may be any integer. Zeros that a convolution adds at the border are the integer 0,
    ///   so behind them it may not.
    init?(covering low: Float, _ high: Float, isAffine: Bool) {
        let (low, high) = (min(low, 0), max(high, 0))
        guard low.isFinite, high.isFinite, high - low > 0 else { return nil }
        if low == 0 || isAffine {
            let scale = (high - low) / 255
            self.init(scale: scale, zeroPoint: Int((-low / scale).rounded()), isSigned: false)
        } else {
            self.init(scale: max(-low / 128, high / 127), isSigned: true)
        }
        guard scale > .leastNormalMagnitude else { return nil }
    }

    /// What is left of a value after it was an integer.
    func rounded(_ value: Float) -> Float {
        let q = (value / scale + Float(zeroPoint)).rounded(.toNearestOrEven)
        return scale * (min(max(q, range.lowerBound), range.upperBound) - Float(zeroPoint))
    }
}
