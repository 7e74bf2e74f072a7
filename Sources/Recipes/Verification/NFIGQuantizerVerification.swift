import Autoregression
import Checkpoints
import Layers
import Tensors

/// Quantisers of VAR and NFIG.
extension NFIGVerification {
    @Sendable static func verifySlots(_ check: inout NFIGCheck) throws {
        let table = try check.rows(check.fixture.output("table"))
        let width = table.first?.count ?? 0
        try check.require(
            width >= 3 && table.allSatisfy { (1...width - 2).contains($0[1]) && $0[0] > 0 },
            "output.table is no table of slots")
        let rebuilt = table.flatMap { row in
            let slots = QuantizerConfiguration.slots(refinements: row[0], levels: row[1])
            return row[0..<2] + slots + Array(repeating: -1, count: width - 2 - slots.count)
        }
        try check.output("table", rebuilt)
    }

    /// VAR's: `vq_*`.
    @Sendable static func verifyQuantizer(_ check: inout NFIGCheck) throws {
        let fixture = check.fixture
        let grids = try check.grids(check.config["patch_hws"] == nil ? "v_patch_nums" : "patch_hws")
        let store = ParameterStore(.loaded(fixture.parameterTensors), isTracked: true)
        let quantizer = try MultiScaleQuantizer(
            store.scope,
            QuantizerConfiguration(
                vocabulary: try check.positive("vocab_size"), channels: try check.positive("Cvae"),
                pyramid: PyramidConfiguration(grids: grids), usesBands: false,
                refinement: Float(try fixture.number("quant_resi")),
                refinements: try fixture.integer("share_quant_resi"),
                normalizesCodes: try fixture.bool("using_znorm"),
                commitment: Float(check.config["beta"]?.number ?? 0.25)))
        try store.validate()
        let f = try latent(&check, quantizer)
        let result = quantizer.quantize(f)
        try compare(&check, quantizer, result)
        if check.hasOutput("phi_slot"), !quantizer.refinementSlots.isEmpty {
            try check.output("phi_slot", quantizer.refinementSlots)
        }
        let sums = quantizer.accumulated(result.indices)
        if check.hasOutput("var_input"), let inputs = quantizer.teacherInputs(result.indices) {
            try check.output("var_input", inputs)
        }
        if let last = sums.last, check.hasOutput("embed_to_fhat_last") {
            try check.output("embed_to_fhat_last", images: last)
        }
        if check.hasOutput("embed_to_fhat_small_last") {
            try check.output("embed_to_fhat_small_last", images: ownScale(quantizer, result.indices, grids))
        }
        gradients(&check, store, f, result)
    }

    /// NFIG's: `frq_*`.
    @Sendable static func verifyBandQuantizer(_ check: inout NFIGCheck) throws {
        let fixture = check.fixture
        let count = try fixture.integer("K_phi")
        let basis = try basis(fixture.string("basis"))
        let resample = try fixture.string("resample")
        let sizing: PyramidConfiguration.Sizing
        if resample == "area_bicubic" {
            sizing = .areaBicubic
        } else if try self.basis(resample) == basis {
            sizing = .spectral
        } else {
            throw UnsupportedFixture("a basis with the resampling of another, \"\(resample)\"")
        }
        let mask = try check.config["mask"]?.string.map(bandShape) ?? .box
        // The cases name φ without the module that holds them.
        func rename(_ name: String) -> String {
            guard name.hasPrefix("quant_resi.") else { return name }
            let rest = name.dropFirst("quant_resi.".count)
            return rest.hasPrefix("qresi.") ? "qresi_ls.0." + rest.dropFirst("qresi.".count) : String(rest)
        }
        var parameters: [String: Tensor] = [:]
        for (name, tensor) in fixture.parameterTensors {
            let inner = count == 1 ? name.replacing("qresi_ls.0.", with: "qresi.") : name
            parameters[name.hasPrefix("qresi") ? "quant_resi.\(inner)" : name] = tensor
        }
        let store = ParameterStore(.loaded(parameters), isTracked: true)
        let quantizer = try MultiScaleQuantizer(
            store.scope,
            QuantizerConfiguration(
                vocabulary: try check.positive("vocab_size"), channels: try check.positive("Cvae"),
                pyramid: PyramidConfiguration(
                    grids: try check.grids("grids"), basis: basis, bands: mask, sizing: sizing),
                refinement: count > 0 ? Float(check.config["quant_resi"]?.number ?? 0.5) : 0,
                refinements: count,
                commitment: Float(try fixture.number("beta"))))
        try store.validate()
        let f = try latent(&check, quantizer)
        let result = quantizer.quantize(f)
        try compare(&check, quantizer, result)
        for level in 0..<quantizer.levelCount {
            try check.output("lowpass\(level)", images: quantizer.pyramid.lowpass(f.detached, level: level))
            try check.output("residual\(level)", images: result.residuals[level])
            try check.output("v\(level)", images: result.targets[level])
        }
        gradients(&check, store, f, result, rename: rename)
    }

    private static func latent(_ check: inout NFIGCheck, _ quantizer: MultiScaleQuantizer) throws -> Tensor {
        let f = try check.images(input: "f").variable
        try check.require(
            f.grid == quantizer.pyramid.finest && f.shape[3] == quantizer.configuration.channels,
            "input.f \(f.shape) does not fit the levels \(quantizer.pyramid.grids)")
        return f
    }

    private static func compare(
        _ check: inout NFIGCheck, _ quantizer: MultiScaleQuantizer, _ result: MultiScaleQuantizer.Quantization
    ) throws {
        for level in 0..<quantizer.levelCount {
            try check.output("idx\(level)", result.indices[level])
            try check.output("f_hat\(level)", images: result.accumulated[level])
            guard check.hasOutput("next_input\(level)") else { continue }
            let sum = result.accumulated[level]
            try check.output("next_input\(level)", images: quantizer.nextInput(sum, after: level) ?? sum)
        }
        if check.hasOutput("f_hat_st") { try check.output("f_hat_st", images: result.latent) }
        if check.hasOutput("vq_loss") { try check.output("vq_loss", [Double(result.loss.item)]) }
    }

    /// Gradients of Σ latent·cotangent + loss·cotangent.
    private static func gradients(
        _ check: inout NFIGCheck, _ store: ParameterStore, _ f: Tensor,
        _ result: MultiScaleQuantizer.Quantization, rename: (String) -> String = { $0 }
    ) {
        guard let byLatent = check.fixture.file["cotangent.f_hat_st"],
            let byLoss = check.fixture.file["cotangent.vq_loss"], byLoss.elementCount == 1,
            byLatent.channelsLastTensor.shape == f.shape
        else { return }
        let total = (result.latent * byLatent.channelsLastTensor).sum() + result.loss * byLoss.floats[0]
        let gradients = total.gradients()
        check.inputGradient("f", gradients, f, channelsLast: true)
        check.parameterGradients(store, gradients, rename: rename)
    }

    /// The sum kept at each level's own size instead of the finest, which the released code has for experiments.
    private static func ownScale(
        _ quantizer: MultiScaleQuantizer, _ indices: [[Int]], _ grids: [Grid]
    ) -> Tensor {
        var sum: Tensor?
        for (level, codes) in indices.enumerated() {
            let added = quantizer.refine(quantizer.codes(codes, level: level), level: level)
            sum = sum.map { SeparableMap(.bicubic, from: $0.grid, to: grids[level])($0) + added } ?? added
        }
        return sum ?? .zeros([0])
    }
}
