import Autoregression
import Layers
import Synchronization
import Tensors
import TestSupport
import Testing

/// Scores that depend on the level, the place, the label and the map before.
private struct FakePredictor: LevelPredictor {
    let vocabulary: Int
    let grids: [Grid]

    func begin(labels: [Int?]) -> any LevelPrediction { Batch(self, labels) }

    final class Batch: LevelPrediction {
        let model: FakePredictor
        let labels: [Int?]
        var next = 0

        init(_ model: FakePredictor, _ labels: [Int?]) { (self.model, self.labels) = (model, labels) }

        func logits(level: Int, input: Tensor?) -> Tensor {
            precondition(level == next, "levels out of order")
            next += 1
            let count = model.grids[level].count
            var values: [Float] = []
            for (image, label) in labels.enumerated() {
                let mean = input.map { $0.samples(image..<image + 1).mean().item } ?? 0
                let stream = RandomStream(seed: UInt64(level * 10 + (label ?? 7)))
                values += (0..<count * model.vocabulary).map { stream.normal(at: UInt64($0)) + mean }
            }
            return Tensor(shape: [labels.count, count, model.vocabulary], scalars: values)
        }
    }
}

@Suite struct SamplingTests {
    static let grids = [Grid(1), Grid(2), Grid(4, 3)]

    private func quantizer() throws -> MultiScaleQuantizer {
        let store = ParameterStore(.initialized(seed: 1), isTracked: false)
        return try MultiScaleQuantizer(
            store.scope,
            QuantizerConfiguration(
                vocabulary: 9, channels: 2, pyramid: PyramidConfiguration(grids: Self.grids), refinements: 2))
    }

    private func session(
        _ quantizer: MultiScaleQuantizer, seeds: [UInt64], labels: [Int?], _ settings: CategoricalSampling
    ) -> CategoricalSession {
        CategoricalSession(
            FakePredictor(vocabulary: 9, grids: Self.grids), quantizer: quantizer, labels: labels,
            settings: settings, randomness: SeededTokenRandomness(seeds: seeds))
    }

    static let settings = [
        CategoricalSampling(),
        CategoricalSampling(guidance: LevelGuidance(strength: 1.5), filter: TokenFilter(topK: 4, topP: 0.9)),
        CategoricalSampling(guidance: LevelGuidance(strength: 2, form: .constant), isSmooth: true),
    ]

    @Test(arguments: settings) func `an image does not depend on its batch`(_ settings: CategoricalSampling)
        throws
    {
        let quantizer = try quantizer()
        let batch = try NextFrequencyRun(
            session(quantizer, seeds: [3, 4, 5], labels: [0, nil, 2], settings)
        ).finish()
        let alone = try NextFrequencyRun(session(quantizer, seeds: [4], labels: [nil], settings)).finish()
        #expect(batch.shape == [3, 4, 3, 2])
        #expect(zip(batch.samples(1..<2).scalars, alone.scalars).allSatisfy { abs($0 - $1) < 1e-6 })
        let other = try NextFrequencyRun(session(quantizer, seeds: [6], labels: [nil], settings)).finish()
        #expect(other.scalars != alone.scalars)
    }

    @Test func `a run may stop early and is a sequence`() throws {
        let quantizer = try quantizer()
        let session = session(quantizer, seeds: [1], labels: [1], CategoricalSampling())
        let steps = Array(NextFrequencyRun(session, until: 2))
        #expect(steps.map(\.level) == [0, 1])
        #expect(steps.allSatisfy { $0.levelCount == 3 && $0.preview.shape == [1, 4, 3, 2] })
    }

    @Test func `keeping every band gives the quantised latents`() throws {
        let quantizer = try quantizer()
        let f = RandomStream(seed: 2).normals([2, 4, 3, 2])
        let kept = try NextFrequencyRun(
            session(quantizer, seeds: [1, 2], labels: [0, 1], CategoricalSampling()), keeping: (f, 3)
        ).finish()
        let expected = quantizer.quantize(f).accumulated[2]
        #expect(zip(kept.scalars, expected.scalars).allSatisfy { abs($0 - $1) < 1e-5 })
    }

    @Test func `top-k keeps ties and top-p what is left`() {
        let infinity = -Float.infinity
        #expect(TokenFilter(topK: 2)([1, 3, 2, 2]) == [infinity, 3, 2, 2])
        #expect(TokenFilter(topK: 9)([1, 2]) == [1, 2])
        #expect(TokenFilter(topP: 0.01)([0, 5, 1]) == [infinity, 5, infinity])
        #expect(TokenFilter(topP: 1)([0, 5, 1]) == [0, 5, 1])
        #expect(TokenFilter(topK: 2, topP: 0.5)([0, 0, 1, 0.5]) == [infinity, infinity, 1, infinity])
    }

    @Test func `guidance ramps from nothing`() {
        let ramp = LevelGuidance(strength: 3)
        #expect((0..<4).map { ramp.strength(level: $0, of: 4) } == [0, 1, 2, 3])
        #expect(LevelGuidance(strength: 3).strength(level: 0, of: 1) == 0)
        #expect(LevelGuidance(strength: 3, form: .constant).strength(level: 0, of: 4) == 3)
    }
}
