import Denoising
import Testing

@Suite struct CounterNoiseTests {
    @Test func `the first words and normals of seed 0 are the specified ones`() {
        let noise = CounterNoise(seed: 0)
        #expect(
            (0..<4).map(noise.word) == [
                0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f, 0xf88b_b8a8_724c_81ec,
            ])
        let expected = [-0.452757740217458, 0.207766038934192, 2.65060581207967, -0.490422825398648]
        for (found, value) in zip(noise.normals(4), expected) { #expect(abs(found - value) < 1e-13) }
        #expect(noise.normals(3) == Array(noise.normals(4).prefix(3)))
    }

    @Test func `colour noise is dealt out plane by plane`() {
        let noise = CounterNoise(seed: 9)
        let planar = noise.normals(2 * 3 * 3)
        let pixels = noise.normals(height: 2, width: 3, channels: 3)
        for pixel in 0..<6 {
            for channel in 0..<3 { #expect(pixels[pixel * 3 + channel] == planar[channel * 6 + pixel]) }
        }
    }

    @Test func `image and realisation make the seed`() {
        #expect(CounterNoise(realisation: 3, image: 7).seed == 3_000_007)
    }
}
