import Autoregression
import Layers
import Synchronization
import Tensors
import TestSupport
import Testing

/// Answers with the first channels of its input, doubled, and remembers what it was asked.
private final class EchoNetwork: Denoiser {
    let outputs: Int
    private let calls = Mutex<[(shape: Shape, labels: [Int?])]>([])

    init(outputs: Int) { self.outputs = outputs }

    var asked: [(shape: Shape, labels: [Int?])] { calls.withLock { $0 } }

    func predict(_ noisy: Tensor, time: [Float], labels: [Int?]) -> Tensor {
        calls.withLock { $0.append((noisy.shape, labels)) }
        let half = noisy.channels(0..<min(outputs, 6)) * 2
        return outputs > 6 ? .concatenateChannels([half, half]) : half
    }
}

@Suite struct OctaveTests {
    static let grids: [[Grid]] = [[Grid(2), Grid(4), Grid(8)], [Grid(3, 2), Grid(6, 4)], [Grid(5)]]

    private func images(_ grid: Grid, _ seed: UInt64 = 1, _ count: Int = 3) -> Tensor {
        RandomStream(seed: seed).normals([count, grid.height, grid.width, 2]) * 0.5 + 0.3
    }

    private func tokenizer(_ grids: [Grid]) throws -> OctaveTokenizer {
        var measurement = try OctaveTokenizer.Measurement(grids: grids, channels: 2)
        measurement.add(images(grids[grids.count - 1]))
        return try OctaveTokenizer(grids: grids, channels: 2, normalization: measurement.normalization)
    }

    private func distance(_ a: Tensor, _ b: Tensor) -> Float {
        guard a.shape == b.shape else { return .infinity }
        return zip(a.scalars, b.scalars).map { abs($0 - $1) }.max() ?? 0
    }

    @Test(arguments: grids) func `tokens of the measured images have unit size`(_ grids: [Grid]) throws {
        let tokenizer = try tokenizer(grids)
        for level in grids.indices {
            let tokens = tokenizer.tokens(images(grids[grids.count - 1]), level: level)
            let grid = tokenizer.tokenGrid(level)
            #expect(tokens.shape == [3, grid.height, grid.width, tokenizer.tokenChannels(level)])
            #expect(abs(Tensor.dot(tokens, tokens) / Double(tokens.elementCount) - 1) < 1e-3)
        }
    }

    @Test(arguments: grids) func `joining all tokens gives the image and no band moves`(_ grids: [Grid])
        throws
    {
        let tokenizer = try tokenizer(grids)
        let x = images(grids[grids.count - 1], 7)
        var map: Tensor?
        for level in grids.indices {
            let next = tokenizer.join(tokenizer.tokens(x, level: level), previous: map, level: level)
            if let map {
                #expect(distance(tokenizer.pyramid.resize(next, from: level, to: level - 1), map) < 1e-5)
            }
            map = next
        }
        #expect(distance(try #require(map), x) < 1e-5)
    }

    @Test func `drawn bands leave the bands below alone`() throws {
        let tokenizer = try tokenizer(Self.grids[0])
        let session = OctaveSession(tokenizer, imageCount: 2) { level, _ in
            let grid = tokenizer.tokenGrid(level)
            return RandomStream(seed: UInt64(level)).normals([
                2, grid.height, grid.width, tokenizer.tokenChannels(level),
            ])
        }
        var last: Tensor?
        for step in NextFrequencyRun(session) {
            if let last {
                let low = tokenizer.pyramid.down(step.preview, to: step.level - 1)
                #expect(distance(low, tokenizer.pyramid.down(last, to: step.level - 1)) < 1e-5)
            }
            last = step.preview
        }
        // Keeping two bands of an image and drawing the third.
        let x = images(Grid(8), 9, 2)
        let edited = try NextFrequencyRun(
            OctaveSession(tokenizer, imageCount: 2) { level, _ in
                RandomStream(seed: UInt64(level)).normals([2, 4, 4, 6])
            }, keeping: (x, 2)
        ).finish()
        #expect(distance(tokenizer.pyramid.down(edited, to: 1), tokenizer.pyramid.down(x, to: 1)) < 1e-5)
        #expect(distance(edited, x) > 0.1)
    }

    @Test(arguments: [6, 12]) func `one network sits in the seat of every band`(_ outputs: Int) throws {
        let tokenizer = try tokenizer(Self.grids[0])
        let seat = BandSeat(levelCount: 3, channels: 2, classCount: 5)
        let network = EchoNetwork(outputs: outputs)
        let x = images(Grid(8))
        for level in 0..<3 {
            let example = BandExample(
                x, level: level, tokenizer: tokenizer, noise: ContextNoise(),
                streams: (0..<3).map { RandomStream(seed: $0) })
            let denoiser = example.denoiser(network, seat: seat)
            let width = level == 0 ? 2 : 6
            #expect(example.clean.shape.channels == width)
            let y = denoiser.predict(example.clean, time: [0, 1, 2], labels: [0, nil, 4])
            #expect(y.shape.channels == (outputs > 6 ? 2 : 1) * width)
            #expect(distance(y.channels(0..<width), example.clean * 2) == 0)
            let call = try #require(network.asked.last)
            #expect(call.shape.channels == seat.inputChannels)
            #expect(call.labels == [6 * level, 6 * level + 5, 6 * level + 4])
            // Guidance asks for the batch twice.
            let twice = Tensor.concatenateSamples([example.clean, example.clean])
            let both = denoiser.predict(
                twice, time: Array(repeating: 0, count: 6), labels: Array(repeating: 1, count: 6))
            #expect(distance(both.samples(3..<6), both.samples(0..<3)) == 0)
        }
        #expect(seat.labelCount == 18)
    }

    @Test func `places of a batch are shared out by weight`() {
        #expect(LevelShares([1, 1, 2]).levels(0..<8).sorted() == [0, 0, 1, 1, 2, 2, 2, 2])
        #expect(Array(LevelShares([1, 3]).levels(0..<12)[4..<8]) == LevelShares([1, 3]).levels(4..<8))
        #expect(LevelShares(tokens: [Grid(2), Grid(2), Grid(4)]).weights == [0.25, 0.25, 0.5])
    }

    @Test func `numbers of other levels are refused`() throws {
        let good = try tokenizer(Self.grids[0]).normalization
        #expect(throws: PyramidMismatch.self) {
            try OctaveTokenizer(grids: Self.grids[1], channels: 2, normalization: good)
        }
        #expect(throws: PyramidMismatch.self) {
            try OctaveTokenizer(grids: [Grid(2), Grid(5)], channels: 2, normalization: good)
        }
        var bad = good
        bad.scales[1][0] = 0
        #expect(throws: PyramidMismatch.self) {
            try OctaveTokenizer(grids: Self.grids[0], channels: 2, normalization: bad)
        }
    }
}
