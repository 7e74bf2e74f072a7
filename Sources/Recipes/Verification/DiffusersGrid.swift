import Checkpoints
import Diffusion
import Foundation

/// The noise levels that a scheduler of diffusers lays out, from its class name and configuration.
struct DiffusersGrid {
    /// N + 1 levels, noisiest first.
    var levels: [NoiseLevel]
    /// N network times as the scheduler reports them.
    var timesteps: [Double]
    /// Whether the levels are those of a flow.
    var isFlow = false

    /// The σ list as the scheduler reports it: the flow time itself for flows.
    var sigmas: [Double] { levels.map { isFlow ? $0.noise : $0.sigma } }

    /// - Parameter timestepArguments: what `set_timesteps` is given besides the number of steps.
    init(_ name: String, config: JSONValue, count: Int, timestepArguments: JSONValue?) throws {
        switch name {
        case "FlowMatchEulerDiscreteScheduler":
            let mu =
                config["use_dynamic_shifting"]?.bool == true ? timestepArguments?["mu"]?.number : nil
            let times = FlowSchedule.diffusersTimes(
                count: count, shift: mu.map { exp($0) } ?? config["shift"]?.number ?? 1, isDynamic: mu != nil)
            self.init(flowTimes: times)
        case "DPMSolverMultistepScheduler", "UniPCMultistepScheduler":
            if config["use_flow_sigmas"]?.bool == true {
                let shift = config["flow_shift"]?.number ?? 1
                self.init(
                    flowTimes: name == "UniPCMultistepScheduler"
                        ? FlowSchedule.diffusersUniPCTimes(count: count, shift: shift)
                        : FlowSchedule.diffusersMultistepTimes(count: count, shift: shift), isWhole: true)
            } else {
                try self.init(config, layout: .multistep, count: count)
            }
        case "EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler":
            try self.init(config, layout: .euler, count: count)
        case "DDIMScheduler", "DDPMScheduler":
            try self.init(oneStep: config, count: count)
        default: throw UnsupportedFixture("diffusers' \(name) is not known")
        }
    }

    private init(flowTimes times: [Double], isWhole: Bool = false) {
        levels = times.map { FlowPath().level(time: $0) }
        timesteps = levels.dropLast().map { isWhole ? $0.time.rounded(.down) : $0.time }
        isFlow = true
    }

    private init(_ config: JSONValue, layout: DiscreteGrid.Layout, count: Int) throws {
        let grid = DiscreteGrid(
            DiscreteSchedule(singlePrecisionAlphas: try DiffusersTables(config).alphas), layout: layout,
            spacing: try Self.spacing(config, otherwise: .linspace), sigmas: Self.sigmas(config),
            offset: config["steps_offset"]?.integer ?? 0,
            minimumLambda: config["lambda_min_clipped"]?.number ?? -.infinity,
            endsClean: config["final_sigmas_type"]?.string != "sigma_min")
        levels = grid.levels(count: count)
        timesteps = levels.dropLast().map(\.time)
    }

    private init(oneStep config: JSONValue, count: Int) throws {
        let process = try diffusersProcess(config)
        let spacing = try Self.spacing(config, otherwise: .leading)
        timesteps = spacing.timesteps(
            count, of: process.stepCount, offset: config["steps_offset"]?.integer ?? 0)
        levels = timesteps.map { process.level(at: Int($0)) } + [.clean()]
    }

    private static func spacing(_ config: JSONValue, otherwise: TimestepSpacing) throws -> TimestepSpacing {
        guard let name = (config["timestep_spacing"] ?? config["spacing"])?.string else { return otherwise }
        guard let spacing = TimestepSpacing(rawValue: name) else {
            throw UnsupportedFixture("the timestep spacing \"\(name)\" is not known")
        }
        return spacing
    }

    private static func sigmas(_ config: JSONValue) -> DiscreteGrid.Sigmas {
        func isSet(_ flag: String) -> Bool { config[flag]?.bool == true || config["flag"]?.string == flag }
        if isSet("use_karras_sigmas") { return .karras(rho: 7) }
        if isSet("use_exponential_sigmas") { return .exponential }
        if isSet("use_beta_sigmas") { return .beta(alpha: 0.6, beta: 0.6) }
        return isSet("use_lu_lambdas") ? .lambda : .timesteps
    }
}

/// The discrete process of a diffusers configuration.
func diffusersProcess(_ config: JSONValue) throws -> GaussianProcess {
    GaussianProcess(
        try diffusersSchedule(config), stepCount: config["num_train_timesteps"]?.integer ?? 1000,
        zeroTerminalSNR: config["rescale_betas_zero_snr"]?.bool ?? false)
}

func diffusersSchedule(_ config: JSONValue) throws -> BetaSchedule {
    let first = config["beta_start"]?.number ?? 1e-4
    let last = config["beta_end"]?.number ?? 0.02
    switch config["beta_schedule"]?.string ?? "linear" {
    case "linear": return .linearBetween(first, last)
    case "scaled_linear": return .scaledLinear(first, last)
    case "squaredcos_cap_v2": return .cosine
    case let name: throw UnsupportedFixture("the beta schedule \"\(name)\" is not known")
    }
}
