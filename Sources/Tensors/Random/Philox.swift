/// The Philox 4×32-10 counter-based generator (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy
/// as 1, 2, 3", SC 2011): a keyed bijection that turns a counter into four random words.
///
/// There is no state to advance, so any number can be had directly and in any order.
public enum Philox {
    /// The four words of one counter under one key.
    public static func words(counter: SIMD4<UInt32>, key: SIMD2<UInt32>) -> SIMD4<UInt32> {
        var (x, k) = (counter, key)
        for _ in 0..<10 {
            let p = x[0].multipliedFullWidth(by: 0xD251_1F53)
            let q = x[2].multipliedFullWidth(by: 0xCD9E_8D57)
            x = SIMD4(q.high ^ x[1] ^ k[0], q.low, p.high ^ x[3] ^ k[1], p.low)
            k &+= SIMD2(0x9E37_79B9, 0xBB67_AE85)
        }
        return x
    }
}
