import Foundation

/// A predictor and a corrector of order p from one network call per step (UniPC, arXiv 2302.04867).
public struct UniPC: Solver {
    /// B(h) of the paper.
    public enum Basis: String, Hashable, Sendable, Codable, CaseIterable {
        /// B = h; cannot take the final step to zero noise, which is then of order 1.
        case bh1
        /// B = e^h − 1.
        case bh2
    }

    /// p ≥ 1.
    public var order: Int
    public var basis: Basis
    /// Works on x̂₀ (data prediction) rather than on ε̂.
    public var predictsClean: Bool
    /// Lowers the order towards the last step.
    public var lowersFinalOrder: Bool

    public init(
        order: Int = 2, basis: Basis = .bh2, predictsClean: Bool = true, lowersFinalOrder: Bool = true
    ) {
        self.lowersFinalOrder = lowersFinalOrder
        self.order = order
        self.basis = basis
        self.predictsClean = predictsClean
    }

    public var memory: Int { order }

    public func step(_ x: Latent, _ context: StepContext, _ history: [HistoryEntry]) -> StepResult {
        let estimate = context.evaluate(x, context.from)
        var corrected = x
        if !history.isEmpty {
            let p = stepOrder(context.index - 1, context)
            corrected = advance(
                history[0].state, history, to: context.from, order: p, correction: outputOf(estimate))
        }
        let entry = HistoryEntry(level: context.from, state: corrected, estimate: estimate)
        let next = advance(
            corrected, [entry] + history, to: context.to, order: stepOrder(context.index, context),
            correction: nil)
        return StepResult(next: next, left: entry)
    }

    private func stepOrder(_ index: Int, _ context: StepContext) -> Int {
        min(lowersFinalOrder ? min(order, context.count - index) : order, index + 1)
    }

    private func outputOf(_ estimate: Estimate) -> Latent { predictsClean ? estimate.clean : estimate.noise }

    /// One step from `entries[0]` to `to`: the predictor, or with the new output the corrector.
    private func advance(
        _ x: Latent, _ entries: [HistoryEntry], to: NoiseLevel, order p: Int, correction: Latent?
    ) -> Latent {
        let from = entries[0].level
        let output = outputOf(entries[0].estimate)
        let h = to.lambda - from.lambda
        let signedStep = predictsClean ? -h : h
        let phi = expm1(signedStep)
        let (keep, scale) =
            predictsClean ? (to.noise / from.noise, to.signal) : (to.signal / from.signal, to.noise)
        // b'·(e^h − 1) for the noise form, written so that it survives b' = 0.
        let onOutput = predictsClean ? scale * phi : to.signal * from.noise / from.signal - to.noise
        var result = Latent.combine((keep, x), (-onOutput, output))
        guard h.isFinite else { return result }

        let b = basis == .bh1 ? signedStep : phi
        // A level without any signal lies infinitely far away and has nothing to say.
        let past = entries.dropFirst().prefix(p - 1).filter { $0.level.lambda.isFinite }
        let ratios = past.map { ($0.level.lambda - from.lambda) / h } + [1]
        let weights = weights(
            ratios, order: past.count + 1, step: signedStep, phi: phi, b: b, corrects: correction != nil)
        for ((entry, ratio), weight) in zip(zip(past, ratios), weights) {
            let factor = -scale * b * weight / ratio
            result.add(factor, outputOf(entry.estimate))
            result.add(-factor, output)
        }
        if let correction, let weight = weights.last {
            result.add(-scale * b * weight, correction)
            result.add(scale * b * weight, output)
        }
        return result
    }

    /// Weights that match the first p (corrector) or p − 1 (predictor) terms of the exponential integral.
    private func weights(
        _ ratios: [Double], order p: Int, step: Double, phi: Double, b: Double, corrects: Bool
    ) -> [Double] {
        let size = corrects ? p : p - 1
        guard size > 0 else { return [] }
        if size == 1 { return [0.5] }
        var g = phi / step - 1
        var factorial = 1.0
        var right: [Double] = []
        for k in 1...size {
            factorial *= Double(k)
            right.append(g * factorial / b)
            g = g / step - 1 / (factorial * Double(k + 1))
        }
        let rows = (0..<size).map { power in ratios.prefix(size).map { pow($0, Double(power)) } }
        return solveLinear(rows, right)
    }
}

/// Gaussian elimination with partial pivoting, for the handful of unknowns of a multistep method.
func solveLinear(_ matrix: [[Double]], _ right: [Double]) -> [Double] {
    let n = right.count
    var rows = (0..<n).map { matrix[$0] + [right[$0]] }
    for column in 0..<n {
        let pivot = (column..<n).max { abs(rows[$0][column]) < abs(rows[$1][column]) } ?? column
        rows.swapAt(column, pivot)
        for row in column + 1..<max(n, column + 1) {
            let factor = rows[row][column] / rows[column][column]
            for k in column...n { rows[row][k] -= factor * rows[column][k] }
        }
    }
    var solution = Array(repeating: 0.0, count: n)
    for row in (0..<n).reversed() {
        let rest = (row + 1..<max(n, row + 1)).reduce(rows[row][n]) { $0 - rows[row][$1] * solution[$1] }
        solution[row] = rest / rows[row][row]
    }
    return solution
}
