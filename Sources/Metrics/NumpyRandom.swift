/// numpy's legacy `RandomState` (the Mersenne Twister MT19937, Matsumoto and Nishimura 1998): needed only to draw
/// the very subsets that published metric packages draw.
public struct NumpyRandom: Sendable {
    private var state: [UInt32]
    private var position = 624

    public init(seed: UInt32) {
        state = [seed]
        for i in 1..<624 {
            let last = state[i - 1]
            state.append(1_812_433_253 &* (last ^ last >> 30) &+ UInt32(i))
        }
    }

    /// The next 32 random bits.
    public mutating func next() -> UInt32 {
        if position == 624 { regenerate() }
        var y = state[position]
        position += 1
        y ^= y >> 11
        y ^= y << 7 & 0x9d2c_5680
        y ^= y << 15 & 0xefc6_0000
        return y ^ y >> 18
    }

    /// `permutation(count)`.
    public mutating func permutation(_ count: Int) -> [Int] {
        var order = Array(0..<count)
        for i in stride(from: count - 1, to: 0, by: -1) { order.swapAt(i, integer(upTo: i)) }
        return order
    }

    /// `choice(count, size, replace=False)`.
    public mutating func choice(_ count: Int, _ size: Int) -> [Int] { Array(permutation(count).prefix(size)) }

    /// Uniform in 0…`largest`: masked to the needed bits, drawn again when too large.
    private mutating func integer(upTo largest: Int) -> Int {
        let mask = UInt32.max >> UInt32(UInt32(largest).leadingZeroBitCount)
        while true {
            let value = Int(next() & mask)
            if value <= largest { return value }
        }
    }

    private mutating func regenerate() {
        for i in 0..<624 {
            let y = state[i] & 0x8000_0000 | state[(i + 1) % 624] & 0x7fff_ffff
            state[i] = state[(i + 397) % 624] ^ y >> 1 ^ (y & 1 == 0 ? 0 : 0x9908_b0df)
        }
        position = 0
    }
}
