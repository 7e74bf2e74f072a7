import Autoregression
import Foundation
import Layers
import Tensors
import TestSupport
import Testing

/// Features are the mean of the visible tokens plus the condition; the head pulls a token towards them.
private struct ToyPredictor: MaskedTokenPredictor {
    let tokenGrid = TokenGrid(3, 4)
    let tokenWidth = 2
    var scale: Tensor = Tensor(repeating: 1, shape: [2])

    func features(of tokens: Tensor, visible: [[Int]], condition: Tensor) -> Tensor {
        let count = tokenGrid.count
        let seen =
            visible[0].isEmpty
            ? Tensor.zeros([tokens.shape[0], 2]) : tokens.gatheringTokens(visible).spatialMean()
        return (seen + condition).gatheringRows((0..<tokens.shape[0] * count).map { $0 / count })
            .reshaped([tokens.shape[0], count, 2])
    }
    func headCondition(_ features: Tensor) -> Tensor { features * scale }
    func head(_ noisy: Tensor, time: [Float], condition: Tensor) -> Tensor { noisy - condition }
}

@Suite struct MaskScheduleTests {
    @Test(arguments: MaskSchedule.allCases, [(1, 1), (7, 3), (16, 20), (64, 8), (256, 64), (1024, 128)])
    func `every token is predicted once`(_ schedule: MaskSchedule, _ size: (Int, Int)) {
        let (tokens, steps) = size
        let counts = schedule.counts(tokens: tokens, steps: steps)
        #expect(counts.reduce(0, +) == tokens)
        #expect(counts.allSatisfy { $0 >= 0 } && counts.count <= steps)
        let orders = (0..<3).map { RandomStream(seed: UInt64($0)).permutation(count: tokens) }
        let plan = schedule.plan(orders: orders, steps: steps)
        for sample in 0..<3 { #expect(plan.flatMap { $0[sample] }.sorted() == Array(0..<tokens)) }
    }

    @Test func `a published run of 64 steps over 256 tokens has 61 with a token`() {
        #expect(MaskSchedule.rounded.counts(tokens: 256, steps: 64).count == 61)
    }

    @Test func `mask ratios follow the truncated normal distribution`() {
        let ratio = MaskRatio()
        #expect(abs(ratio.ratio(quantile: 0) - 0.7) < 1e-12)
        #expect(abs(ratio.ratio(quantile: 1) - 1) < 1e-12)
        let values = stride(from: 0.0, through: 1, by: 0.05).map(ratio.ratio)
        #expect(zip(values, values.dropFirst()).allSatisfy { $0 < $1 })
    }

    @Test func `guidance rises to its end`() {
        let linear = GuidanceRamp.linear(start: 1, end: 2.5).scales(steps: 5, tokens: 16, remaining: [])
        #expect(zip(linear, [1.3, 1.6, 1.9, 2.2, 2.5]).allSatisfy { abs($0 - $1) < 1e-12 })
        let known = GuidanceRamp.known(end: 3).scales(steps: 2, tokens: 4, remaining: [2, 0])
        #expect(known == [2, 2.5])
    }

    @Test(arguments: [1.0, 3], [1, 4, 25]) func `sampling levels fall from noise to none`(
        _ shift: Double, _ steps: Int
    ) {
        let sigmas = FlowTable(shift: shift).samplingSigmas(steps: steps)
        #expect(sigmas.count == steps + 1 && sigmas.first == 1 && sigmas.last == 0)
        #expect(zip(sigmas, sigmas.dropFirst()).allSatisfy { $0 > $1 })
    }
}

@Suite struct MaskedRunTests {
    private func run(seeds: [UInt64], guided: Bool) -> MaskedRun {
        let predictor = ToyPredictor()
        let count = seeds.count
        let orders = seeds.map { RandomStream(seed: $0).stream(named: "order").permutation(count: 12) }
        let plan = MaskSchedule.rounded.plan(orders: orders, steps: 5)
        let labels = seeds.flatMap { [Float($0 % 3), 1] }
        return MaskedRun(
            predictor, sampler: FlowTokenSampler(stepCount: 6),
            condition: Tensor(shape: [count, 2], scalars: labels),
            reference: guided ? .zeros([count, 2]) : nil, plan: plan,
            guidance: GuidanceRamp.linear(start: 1, end: 2).scales(
                steps: plan.count, tokens: 12, remaining: [])
        ) { step, tokens in SeededTokenNoise(seeds: seeds, step: step, tokens: tokens) }
    }

    @Test(arguments: [false, true]) func `tokens once drawn never change`(_ guided: Bool) {
        var known: [Int: [Float]] = [:]
        for step in run(seeds: [3, 4], guided: guided) {
            let scalars = step.tokens.scalars
            for (index, value) in known { #expect(Array(scalars[2 * index..<2 * index + 2]) == value) }
            for (sample, list) in step.drawn.enumerated() {
                for token in list {
                    let index = sample * 12 + token
                    known[index] = Array(scalars[2 * index..<2 * index + 2])
                }
            }
            #expect(step.features.shape[0] == (guided ? 4 : 2))
        }
        #expect(known.count == 24)
    }

    @Test(arguments: [false, true]) func `an image is the same alone and in a batch`(_ guided: Bool) {
        let batch = run(seeds: [3, 4, 9], guided: guided).finished()
        for (index, seed) in [UInt64(3), 4, 9].enumerated() {
            let alone = run(seeds: [seed], guided: guided).finished()
            #expect(alone.scalars == batch.samples(index..<index + 1).scalars)
        }
        #expect(batch.nonFiniteCount == 0)
    }
}

@Suite struct MaskedFlowObjectiveTests {
    @Test func `draws repeat and stay in range`() {
        let objective = MaskedFlowObjective(repeats: 2)
        func draw(_ seed: UInt64) -> MaskedFlowObjective.Draw {
            objective.draw(samples: 0..<3, tokens: 12, width: 2, from: RandomStream(seed: seed))
        }
        let (first, again) = (draw(1), draw(1))
        #expect(first.visible == again.visible && first.levels == again.levels)
        #expect(first.noise.scalars == again.noise.scalars)
        #expect(first.levels.count == 72 && first.levels.allSatisfy { (0..<1000).contains($0) })
        for seed in 0..<20 {
            let visible = draw(UInt64(seed)).visible
            for list in visible {
                #expect(list.count == visible[0].count && list.count <= 4)
                #expect(Set(list).count == list.count)
            }
        }
    }

    @Test func `a split batch draws the same numbers`() {
        let objective = MaskedFlowObjective(repeats: 2)
        func draw(_ samples: Range<Int>) -> MaskedFlowObjective.Draw {
            objective.draw(samples: samples, tokens: 6, width: 2, from: RandomStream(seed: 1))
        }
        let (whole, part) = (draw(0..<3), draw(2..<3))
        #expect(whole.visible[2] == part.visible[0])
        for pass in 0..<2 {
            let place = 3 * pass + 2
            #expect(
                whole.noise.samples(place..<place + 1).scalars == part.noise.samples(pass..<pass + 1).scalars)
            #expect(whole.levels[6 * place..<6 * place + 6] == part.levels[6 * pass..<6 * pass + 6])
        }
    }

    @Test func `the loss has the derivative of its formula`() {
        let objective = MaskedFlowObjective(repeats: 2)
        let tokens = RandomStream(seed: 1).normals([2, 12, 2])
        let condition = RandomStream(seed: 2).normals([2, 2])
        let draw = objective.draw(samples: 0..<2, tokens: 12, width: 2, from: RandomStream(seed: 4))
        expectDerivative(
            of: { operands in
                var predictor = ToyPredictor()
                predictor.scale = operands[0]
                return objective.evaluate(predictor, tokens: tokens, condition: operands[1], draw: draw).loss
            }, at: [Tensor(shape: [2], scalars: [0.7, 1.3]), condition])
    }

    @Test func `hidden tokens alone are judged`() {
        let objective = MaskedFlowObjective(repeats: 1)
        let tokens = RandomStream(seed: 1).normals([1, 12, 2])
        let draw = MaskedFlowObjective.Draw(
            visible: [Array(0..<11)], levels: Array(repeating: 499, count: 12),
            noise: RandomStream(seed: 2).normals([1, 12, 2]))
        let evaluation = objective.evaluate(
            ToyPredictor(), tokens: tokens, condition: .zeros([1, 2]), draw: draw)
        #expect(evaluation.velocities.shape == [1, 2])
        let all = MaskedFlowObjective.Draw(visible: [Array(0..<12)], levels: draw.levels, noise: draw.noise)
        #expect(
            objective.evaluate(ToyPredictor(), tokens: tokens, condition: .zeros([1, 2]), draw: all).loss.item
                == 0)
    }
}
