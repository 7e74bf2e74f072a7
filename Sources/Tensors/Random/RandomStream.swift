import CKernels

/// An endless sequence of random numbers in which number `i` depends on (seed, stream, i) only: never on the
/// thread count, the batch size or what was drawn before.
///
/// A stream is a value without state; the caller says which number it wants. The same index of one stream gives
/// related numbers whatever is asked for (a uniform and a normal share their random words), so use one stream per
/// purpose: `stream(named: "noise")`, `stream(named: "timesteps")`, and within it a stream per image or step.
public struct RandomStream: Hashable, Sendable {
    public let seed: UInt64
    public let stream: UInt64

    public init(seed: UInt64, stream: UInt64 = 0) {
        self.seed = seed
        self.stream = stream
    }

    /// The stream of the same seed for one purpose. Two names collide with probability 2⁻⁶⁴.
    public func stream(named name: String) -> RandomStream { stream(StableHash.of(name)) }

    /// The stream of the same seed for one item: an image number, a step.
    public func stream(_ index: UInt64) -> RandomStream {
        RandomStream(seed: seed, stream: StableHash.mix(stream &+ StableHash.mix(index)))
    }

    /// Four random words.
    public func words(at block: UInt64) -> SIMD4<UInt32> {
        Philox.words(
            counter: SIMD4(
                UInt32(truncatingIfNeeded: block), UInt32(truncatingIfNeeded: block >> 32),
                UInt32(truncatingIfNeeded: stream), UInt32(truncatingIfNeeded: stream >> 32)),
            key: SIMD2(UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32)))
    }

    /// 64 random bits.
    public func bits(at index: UInt64) -> UInt64 {
        let words = words(at: index >> 1)
        let first = index & 1 == 0 ? 0 : 2
        return UInt64(words[first]) | UInt64(words[first + 1]) << 32
    }

    /// Uniform in the open interval (0, 1), in steps of 2⁻²³.
    public func uniform(at index: UInt64) -> Float {
        (Float(words(at: index >> 2)[Int(index & 3)] >> 9) + 0.5) * 0x1p-23
    }

    /// Uniform in the open interval (0, 1), in steps of 2⁻⁵².
    public func uniformDouble(at index: UInt64) -> Double {
        (Double(bits(at: index) >> 12) + 0.5) * 0x1p-52
    }

    /// Standard normal (Box–Muller), at most 6.66 in magnitude.
    public func normal(at index: UInt64) -> Float {
        var value: Float = 0
        sfumato_fill_normals(seed, stream, index, 1, &value)
        return value
    }

    /// Uniform among 0 ..< `bound`.
    ///
    /// One multiplication of 64 random bits by the bound, without rejection, so that the index alone decides: no
    /// value's probability is off by more than 2⁻⁶⁴ (a share of bound · 2⁻⁶⁴).
    public func integer(below bound: Int, at index: UInt64) -> Int {
        precondition(bound > 0, "an integer below \(bound) does not exist")
        return Int(bits(at: index).multipliedFullWidth(by: UInt64(bound)).high)
    }

    /// The numbers 0 ..< `count` in random order (Fisher–Yates).
    public func permutation(count: Int) -> [Int] {
        var order = Array(0..<count)
        for last in stride(from: count - 1, to: 0, by: -1) {
            order.swapAt(last, integer(below: last + 1, at: UInt64(last)))
        }
        return order
    }
}

extension RandomStream {
    /// Fills `buffer` with the normal numbers from index `first` on, on all threads when it is large.
    public func fillNormals(_ buffer: UnsafeMutableBufferPointer<Float>, from first: UInt64 = 0) {
        guard let base = buffer.baseAddress else { return }
        sfumato_fill_normals(seed, stream, first, Int64(buffer.count), base)
    }

    /// Fills `buffer` with the uniform numbers in (0, 1) from index `first` on.
    public func fillUniforms(_ buffer: UnsafeMutableBufferPointer<Float>, from first: UInt64 = 0) {
        guard let base = buffer.baseAddress else { return }
        sfumato_fill_uniforms(seed, stream, first, Int64(buffer.count), base)
    }

    /// A tensor of standard normal numbers, `first` being the index of its first scalar in memory order.
    public func normals(_ shape: Shape, from first: UInt64 = 0) -> Tensor {
        let result = Tensor.uninitialized(shape)
        result.withMutableScalars { fillNormals($0, from: first) }
        return result
    }

    /// A tensor of uniform numbers in (0, 1).
    public func uniforms(_ shape: Shape, from first: UInt64 = 0) -> Tensor {
        let result = Tensor.uninitialized(shape)
        result.withMutableScalars { fillUniforms($0, from: first) }
        return result
    }
}

/// Hashes that are the same in every process and on every machine, unlike `Hasher`.
public enum StableHash {
    /// FNV-1a, 64 bits, of the UTF-8 bytes.
    public static func of(_ text: String) -> UInt64 {
        text.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
    }

    /// The finaliser of SplitMix64 (Steele, Lea, Flood 2014) after one step of its counter: every input bit
    /// reaches every output bit.
    public static func mix(_ value: UInt64) -> UInt64 {
        var z = value &+ 0x9E37_79B9_7F4A_7C15
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
}
