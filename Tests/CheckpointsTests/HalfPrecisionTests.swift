import Checkpoints
import Testing

@Suite struct HalfPrecisionTests {
    @Test func `every float16 and bfloat16 survives the way to float and back`() {
        for bits in UInt16.min...UInt16.max {
            let half = HalfPrecision.float(fromFloat16: bits)
            let brain = HalfPrecision.float(fromBFloat16: bits)
            if half.isNaN { #expect(HalfPrecision.float(fromFloat16: HalfPrecision.float16(half)).isNaN) }
            if brain.isNaN { #expect(HalfPrecision.float(fromBFloat16: HalfPrecision.bfloat16(brain)).isNaN) }
            guard !half.isNaN, !brain.isNaN else { continue }
            let isSame = HalfPrecision.float16(half) == bits && HalfPrecision.bfloat16(brain) == bits
            if !isSame { Issue.record("bits \(bits)") }
        }
    }

    @Test func `values between two neighbours round to the nearer, ties to the even one`() {
        // Midpoints, and points a hair beside them, of every pair of finite neighbours.
        for bits in UInt16(0)..<0x7BFF {
            let (low, high) = (Double(Float16(bitPattern: bits)), Double(Float16(bitPattern: bits + 1)))
            check(bits, low, high, HalfPrecision.float16, HalfPrecision.float16)
        }
        for bits in UInt16(0)..<0x7F7F {
            let low = Double(HalfPrecision.float(fromBFloat16: bits))
            let high = Double(HalfPrecision.float(fromBFloat16: bits + 1))
            check(bits, low, high, HalfPrecision.bfloat16, HalfPrecision.bfloat16)
        }
    }

    private func check(
        _ bits: UInt16, _ low: Double, _ high: Double, _ fromFloat: (Float) -> UInt16,
        _ fromDouble: (Double) -> UInt16
    ) {
        let middle = low + (high - low) / 2
        let even = bits % 2 == 0 ? bits : bits + 1
        var isRight = fromDouble(middle) == even && fromDouble(middle.nextDown) == bits
        isRight = isRight && fromDouble(middle.nextUp) == bits + 1 && fromDouble(-middle) == even | 0x8000
        if Double(Float(middle)) == middle {
            isRight = isRight && fromFloat(Float(middle)) == even && fromFloat(Float(middle).nextDown) == bits
            isRight = isRight && fromFloat(Float(middle).nextUp) == bits + 1
        }
        if !isRight { Issue.record("between \(low) and \(high)") }
    }

    @Test(arguments: [
        (Float.infinity, 0x7C00 as UInt16, 0x7F80 as UInt16), (-.infinity, 0xFC00, 0xFF80),
        (-0.0, 0x8000, 0x8000),
        (65504, 0x7BFF, 0x4780), (65520, 0x7C00, 0x4780), (.greatestFiniteMagnitude, 0x7C00, 0x7F80),
        (0x1p-24, 0x0001, 0x3380), (0x1p-25, 0x0000, 0x3300), (.leastNonzeroMagnitude, 0, 0),
    ])
    func `extremes are as the standard says`(_ value: Float, _ half: UInt16, _ brain: UInt16) {
        #expect(HalfPrecision.float16(value) == half)
        #expect(HalfPrecision.bfloat16(value) == brain)
    }

    @Test func `a NaN with payload in its low bits alone stays a NaN`() {
        #expect(
            HalfPrecision.float(fromBFloat16: HalfPrecision.bfloat16(Float(bitPattern: 0x7F80_0001))).isNaN)
        #expect(HalfPrecision.float(fromFloat16: HalfPrecision.float16(Float(bitPattern: 0x7F80_0001))).isNaN)
    }
}
