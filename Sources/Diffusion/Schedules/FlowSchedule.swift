import Foundation

/// Flow times s (1 = noise, 0 = data) and how they are bent towards noise.
public enum FlowSchedule {
    /// f(s) = κs/(1 + (κ−1)s): larger images need more of their steps at high noise (SD3, equation 23).
    public static func shifted(_ s: Double, by kappa: Double) -> Double {
        kappa * s / (1 + (kappa - 1) * s)
    }

    /// FLUX's μ(L) for L tokens; the shift is κ = e^μ.
    public static func dynamicShift(tokenCount: Int) -> Double {
        exp(0.5 + (Double(tokenCount) - 256) * (1.15 - 0.5) / (4096 - 256))
    }

    /// f(1 − i/N) for i = 0…N: from pure noise to data.
    public static func times(count: Int, shift: Double = 1) -> [Double] {
        (0...count).map { shifted(1 - Double($0) / Double(count), by: shift) }
    }

    /// diffusers' list for flow-matching Euler, ending with 0. Its lower bound is shifted twice unless the
    /// shift is given dynamically.
    public static func diffusersTimes(
        count: Int, shift: Double, isDynamic: Bool = false, trainingStepCount: Int = 1000
    ) -> [Double] {
        let lowest = 1 / Double(trainingStepCount)
        let last = isDynamic ? lowest : shifted(lowest, by: shift)
        return evenlySpaced(1, last, count).map { shifted($0, by: shift) } + [0]
    }

    /// diffusers' list for UniPC on flow models: from just below 1, where λ is still finite, ending with 0.
    public static func diffusersUniPCTimes(
        count: Int, shift: Double, trainingStepCount: Int = 1000
    ) -> [Double] {
        let times = evenlySpaced(1, 1 / Double(trainingStepCount), count + 1).dropLast()
        return times.map { min(shifted($0, by: shift), 1 - 1e-6) } + [0]
    }

    /// diffusers' list for DPM-Solver on flow models: never exactly 1, ending with 0.
    public static func diffusersMultistepTimes(
        count: Int, shift: Double, trainingStepCount: Int = 1000
    ) -> [Double] {
        let highest = 1 - 1 / Double(trainingStepCount)
        return (1...count).reversed().map { shifted(highest * Double($0) / Double(count), by: shift) } + [0]
    }
}
