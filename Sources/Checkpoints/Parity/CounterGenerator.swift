/// The counter generator that parity cases describe large tensors with, so that no file has to hold them.
///
/// Value i of tensor `key` under seed S: h = FNV-1a-64 of "S/key"; z = SplitMix64's finaliser of
/// h + (i + 1)·0x9E3779B97F4A7C15; value = ((z ≫ 40)/2²³ − 1)·2^exponent, exact in single precision.
public enum CounterGenerator {
    public static func values(seed: Int, key: String, exponent: Int, count: Int) -> [Float] {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in "\(seed)/\(key)".utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        let scale = Float(sign: .plus, exponent: exponent, significand: 1)
        return (0..<count).map { index in
            var z = hash &+ (UInt64(index) &+ 1) &* 0x9e37_79b9_7f4a_7c15
            z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
            z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
            z ^= z >> 31
            return (Float(z >> 40) / 8_388_608 - 1) * scale
        }
    }
}
