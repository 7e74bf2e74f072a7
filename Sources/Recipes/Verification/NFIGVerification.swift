import Checkpoints

/// Rebuilds the parity cases of `parity/nfig`: frequency bands, resampling, packing, quantisers, the VAE, the
/// transformer, discrete sampling, and the continuous heads of MAR and FAR.
enum NFIGVerification: FixtureFamily {
    typealias Rebuild = @Sendable (inout NFIGCheck) throws -> Void

    /// A kind of case: what its config and tensors must have for it to be one.
    struct Kind: Sendable {
        var config: [String] = []
        var keys: [String] = []
        var rebuild: Rebuild
    }

    /// In order of asking. Cases of this family name no kind, so what they hold tells.
    static let kinds: [Kind] = [
        Kind(config: ["grids", "mask"], keys: ["output.bands"], rebuild: verifyBands),
        Kind(config: ["grids", "basis"], keys: ["output.coarse0", "input.xhat"], rebuild: verifyPyramid),
        Kind(config: ["grids", "channel_order"], keys: ["output.packed1"], rebuild: verifyPacking),
        Kind(config: ["items"], keys: ["output.fft0", "output.dct0"], rebuild: verifySpectralResizing),
        Kind(config: ["items"], keys: ["output.y0", "input.x0"], rebuild: verifyResizing),
        Kind(config: ["grids", "K_phi"], keys: ["param.embedding.weight"], rebuild: verifyBandQuantizer),
        Kind(
            config: ["vocab_size", "v_patch_nums"], keys: ["param.embedding.weight"], rebuild: verifyQuantizer
        ),
        Kind(config: ["columns"], keys: ["output.table"], rebuild: verifySlots),
        Kind(config: ["patch_nums"], keys: ["output.allowed0"], rebuild: verifyMasks),
        Kind(config: ["items", "columns"], keys: ["output.kept0"], rebuild: verifyFilter),
        Kind(config: ["items", "peak_lr"], keys: ["output.lr0"], rebuild: verifyLearningRate),
        Kind(config: ["ch", "ch_mult"], keys: ["param.conv_in.weight", "output.y"], rebuild: verifyCodec),
        Kind(keys: ["param.norm1.weight", "param.conv2.weight", "output.y"], rebuild: verifyResidualBlock),
        Kind(keys: ["param.qkv.weight", "param.proj_out.weight", "output.y"], rebuild: verifyAttentionBlock),
        Kind(config: ["in_channels"], keys: ["param.conv.weight", "output.y"], rebuild: verifySizeChange),
        Kind(
            keys: ["param.attn.mat_qkv.weight", "input.level", "output.y"], rebuild: verifyTransformerBlock),
        Kind(keys: ["param.mat_qkv.weight", "param.zero_k_bias", "output.y"], rebuild: verifyAttention),
        Kind(config: ["C", "D"], keys: ["param.ada_lin.1.weight", "output.y"], rebuild: verifyHeadNorm),
        Kind(
            config: ["patch_nums", "V"], keys: ["param.word_embed.weight", "output.logits"],
            rebuild: verifyTransformer),
        Kind(
            config: ["patch_nums", "V", "cfg"], keys: ["output.step0.cfg_logits"], rebuild: verifySampling),
        Kind(
            config: ["target_channels", "z_channels", "num_sampling_steps"],
            keys: ["input.sample_noises", "output.net"], rebuild: verifyHead),
        Kind(config: ["H"], keys: ["output.level0", "input.x"], rebuild: verifyFARLevels),
        Kind(config: ["cfg"], keys: ["output.temperature_nomask"], rebuild: verifyFARSchedules),
        Kind(
            config: ["diffloss_d", "levels"], keys: ["input.noise_init", "output.z"], rebuild: verifyFAR),
    ]

    static func recognizes(_ fixture: Fixture) -> Bool {
        fixture.config["kind"] == nil && kind(of: fixture) != nil
    }

    static func verify(_ fixture: Fixture) throws -> VerificationResult {
        guard let kind = kind(of: fixture) else {
            throw UnsupportedFixture("\(fixture.name) is no case of next-frequency generation")
        }
        var check = NFIGCheck(fixture)
        try kind.rebuild(&check)
        return check.result
    }

    private static func kind(of fixture: Fixture) -> Kind? {
        kinds.first { kind in
            kind.config.allSatisfy { fixture.config[$0] != nil }
                && kind.keys.allSatisfy { fixture.file[$0] != nil }
        }
    }
}
