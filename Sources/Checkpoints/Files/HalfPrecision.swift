/// The 16-bit float formats as bit patterns, rounded to nearest, ties to even.
public enum HalfPrecision {
    public static func float(fromBFloat16 bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }

    /// NaNs stay NaN: their payload loses its low bits and becomes quiet.
    public static func bfloat16(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        if value.isNaN { return UInt16(bits >> 16) | 0x40 }
        let half: UInt32 = 0x7FFF + (bits >> 16 & 1)
        return UInt16((bits + half) >> 16)
    }

    /// Rounded once: through a float that remembers in its last bit that digits were lost.
    public static func bfloat16(_ value: Double) -> UInt16 {
        let nearest = Float(value)
        guard nearest.isFinite, Double(nearest) != value else { return bfloat16(nearest) }
        var bits = nearest.bitPattern
        if abs(Double(nearest)) > abs(value) { bits -= 1 }  // towards zero
        return bfloat16(Float(bitPattern: bits | 1))
    }

    public static func float(fromFloat16 bits: UInt16) -> Float { Float(Float16(bitPattern: bits)) }
    public static func float16(_ value: Float) -> UInt16 { Float16(value).bitPattern }
    public static func float16(_ value: Double) -> UInt16 { Float16(value).bitPattern }
}
