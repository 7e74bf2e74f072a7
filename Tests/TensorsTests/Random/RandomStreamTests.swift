import CKernels
import Foundation
import Testing

@testable import Tensors

@Suite struct PhiloxTests {
    struct KnownAnswer: Sendable {
        let counter: SIMD4<UInt32>, key: SIMD2<UInt32>, words: SIMD4<UInt32>
    }

    /// The known-answer vectors published with the generator (Random123, `kat_vectors`).
    static let knownAnswers = [
        KnownAnswer(
            counter: .zero, key: .zero, words: [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
        KnownAnswer(
            counter: SIMD4(repeating: .max), key: SIMD2(repeating: .max),
            words: [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
        KnownAnswer(
            counter: [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], key: [0xa409_3822, 0x299f_31d0],
            words: [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]),
    ]

    @Test(arguments: knownAnswers) func `gives the published words`(_ answer: KnownAnswer) {
        #expect(Philox.words(counter: answer.counter, key: answer.key) == answer.words)
    }
}

@Suite struct RandomStreamTests {
    let random = RandomStream(seed: 0x0123_4567_89AB_CDEF, stream: 0xFEDC_BA98_7654_3210)

    @Test func `fast normals are Box–Muller of the same words`() {
        let first: UInt64 = (1 << 34) + 3
        let fast = random.normals([1000], from: first).scalars
        var worst = 0.0
        for (offset, value) in fast.enumerated() {
            let index = first + UInt64(offset)
            let words = random.words(at: index >> 2)
            let pair = Int(index & 2)
            let radius = (-2 * log((Double(words[pair]) + 1) * 0x1p-32)).squareRoot()
            let angle = 2 * Double.pi * Double(words[pair + 1]) * 0x1p-32
            worst = max(worst, abs(Double(value) - radius * (index & 1 == 0 ? cos(angle) : sin(angle))))
        }
        #expect(worst < 2e-6)
    }

    @Test func `fast uniforms equal single ones`() {
        let fast = random.uniforms([777], from: 5).scalars
        #expect(fast == (0..<777).map { random.uniform(at: 5 + $0) })
        #expect(fast.allSatisfy { $0 > 0 && $0 < 1 })
    }

    @Test(arguments: [1, 2, 255, 256, 257, 70_001])
    func `a number does not depend on where a fill begins or ends`(_ count: Int) {
        let whole = random.normals([80_000]).scalars
        for first in [0, 1, 2, 3, 4, 255, 9_999] {
            let part = random.normals([count], from: UInt64(first)).scalars
            #expect(part == Array(whole[first..<first + count]))
        }
        #expect(random.normal(at: 77) == whole[77])
    }

    @Test func `a number does not depend on the thread count`() {
        let threads = sfumato_thread_count()
        defer { sfumato_set_thread_count(threads) }
        sfumato_set_thread_count(1)
        let one = random.normals([300_007], from: 1).scalars
        for count in [2, 3, 5] {
            sfumato_set_thread_count(Int32(count))
            #expect(random.normals([300_007], from: 1).scalars == one)
        }
    }

    @Test func `normals have the moments of the normal distribution`() {
        let count = 1_000_000
        let values = RandomStream(seed: 7).normals([count]).scalars.map(Double.init)
        func moment(_ power: Double) -> Double { values.reduce(0) { $0 + pow($1, power) } / Double(count) }
        #expect(abs(moment(1)) < 4e-3)
        #expect(abs(moment(2) - 1) < 6e-3)
        #expect(abs(moment(3)) < 16e-3)
        #expect(abs(moment(4) - 3) < 40e-3)
        let beyond = values.count { abs($0) > 3 }
        #expect(abs(Double(beyond) / Double(count) - 0.0026998) < 2.2e-4)
        let neighbours = zip(values, values.dropFirst()).reduce(0) { $0 + $1.0 * $1.1 } / Double(count)
        #expect(abs(neighbours) < 4e-3)
    }

    @Test func `streams of one seed differ and are reproducible`() {
        let noise = random.stream(named: "noise"), time = random.stream(named: "time")
        #expect(noise == random.stream(named: "noise"))
        #expect(Set([random, noise, time, noise.stream(0), noise.stream(1), time.stream(0)]).count == 6)
        #expect(noise.words(at: 0) != time.words(at: 0))
        #expect(StableHash.of("a") == 0xaf63_dc4c_8601_ec8c)
    }

    @Test(arguments: [1, 2, 3, 10, 1 << 40]) func `integers stay below their bound`(_ bound: Int) {
        let values = (0..<600).map { random.integer(below: bound, at: $0) }
        #expect(values.allSatisfy { (0..<bound).contains($0) })
        if bound <= 10 { #expect(Set(values).count == bound) }
    }

    @Test(arguments: [0, 1, 2, 7, 1000]) func `a permutation holds every index once`(_ count: Int) {
        let order = random.permutation(count: count)
        #expect(order.sorted() == Array(0..<count))
        if count == 1000 { #expect(order != Array(0..<count)) }
    }
}
