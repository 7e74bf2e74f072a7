import Checkpoints
import Diffusion

/// β and ᾱ to the last digit of diffusers' float32 tables, which decides where it truncates a timestep.
struct DiffusersTables {
    var betas: [Float]
    /// ᾱ.
    var alphas: [Float]

    init(_ config: JSONValue) throws {
        let count = config["num_train_timesteps"]?.integer ?? 1000
        let schedule = try diffusersSchedule(config)
        switch schedule {
        case .linearBetween(let first, let last):
            betas = Self.linspace(first, last, count)
        case .scaledLinear(let first, let last):
            betas = Self.linspace(first.squareRoot(), last.squareRoot(), count).map { $0 * $0 }
        default: betas = schedule.betas(count: count).map(Float.init)
        }
        if config["rescale_betas_zero_snr"]?.bool == true {
            betas = try diffusersProcess(config).betas.map(Float.init)
        }
        alphas = Self.cumulative(betas)
    }

    /// `torch.linspace`: each half counted from its own end, with one rounding per element.
    private static func linspace(_ first: Double, _ last: Double, _ count: Int) -> [Float] {
        let (low, high) = (Float(first), Float(last))
        let step = (high - low) / Float(count - 1)
        return (0..<count).map { i in
            i < count / 2
                ? low.addingProduct(step, Float(i)) : high.addingProduct(-step, Float(count - 1 - i))
        }
    }

    /// `torch.cumprod` of 1 − β, which keeps its product in double precision.
    private static func cumulative(_ betas: [Float]) -> [Float] {
        var product = 1.0
        return betas.map { beta in
            product *= Double(1 - beta)
            return Float(product)
        }
    }
}
