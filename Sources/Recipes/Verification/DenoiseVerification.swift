import Checkpoints

/// Rebuilds the parity cases of image denoising: networks, layers, losses, noise, augmentation, tiles, training traces
/// and crops through published weights.
enum DenoiseVerification: FixtureFamily {
    /// A kind of case: what marks it, and what rebuilds it.
    struct Kind: Sendable {
        /// Tensors that such a case has; one that ends in `*` stands for any that begins so.
        var tensors: [String] = []
        /// Keys of its configuration.
        var config: [String] = []
        /// Something its source says.
        var source = ""
        let rebuild: @Sendable (Fixture) throws -> VerificationResult

        func matches(_ fixture: Fixture) -> Bool {
            (source.isEmpty || fixture.source.contains(source))
                && config.allSatisfy { fixture.config[$0] != nil }
                && tensors.allSatisfy { key in
                    key.hasSuffix("*")
                        ? fixture.file.tensors.contains { $0.name.hasPrefix(key.dropLast()) }
                        : fixture.file[key] != nil
                }
        }
    }

    /// Asked in this order: the more special ones first.
    private static let kinds: [Kind] = [
        Kind(tensors: ["output.losses", "input.clean"], config: ["depth", "den"], rebuild: weightedTrace),
        Kind(
            tensors: ["output.losses", "input.clean"], config: ["depth", "n_channels"], rebuild: dncnnTrace),
        Kind(
            tensors: ["output.losses", "input.clean"], config: ["img_channel", "width"], rebuild: nafnetTrace),
        Kind(tensors: ["output.merged.*"], config: ["nb", "nc"], rebuild: mergedNorms),
        Kind(tensors: ["output.x8", "output.split"], config: ["nb", "refield"], rebuild: testModes),
        Kind(tensors: ["input.x"], config: ["nb", "nc", "in_nc"], source: "network_unet", rebuild: drunet),
        Kind(tensors: ["input.sigma"], config: ["nb", "nc", "in_nc"], rebuild: ffdnet),
        Kind(tensors: ["input.x"], config: ["nb", "nc", "in_nc"], rebuild: kairDnCNN),
        Kind(tensors: ["input.x"], config: ["depth", "n_channels"], rebuild: dncnn),
        Kind(tensors: ["output.tile_origins"], config: ["img_channel"], rebuild: tiles),
        Kind(tensors: ["input.x*"], config: ["img_channel", "train_size"], rebuild: localNAFNet),
        Kind(tensors: ["input.x"], config: ["img_channel", "width"], rebuild: nafnet),
        Kind(tensors: ["input.params"], config: ["img_channels", "num_params"], rebuild: tunableNAFNet),
        Kind(tensors: ["input.x"], config: ["c", "DW_Expand"], rebuild: nafBlock),
        Kind(tensors: ["param.weight"], config: ["channels", "eps"], rebuild: channelNorm),
        Kind(tensors: ["input.x0"], config: ["kernel_sizes"], rebuild: localMeans),
        Kind(tensors: ["input.params"], config: ["in_channels", "num_params"], rebuild: tunableConvolution),
        Kind(tensors: ["param.data"], config: ["shape", "num_params"], rebuild: tunableParameter),
        Kind(tensors: ["input.params", "input.pred"], config: ["losses"], rebuild: parametricLoss),
        Kind(tensors: ["input.x", "param.weight"], config: ["in_channels"], rebuild: weightedConvolution),
        Kind(tensors: ["input.pred", "input.target"], config: ["toY"], rebuild: psnrLoss),
        Kind(tensors: ["output.bits_*", "output.normal_*"], config: ["sigma"], rebuild: counterNoise),
        Kind(tensors: ["output.kair.0", "output.dncnn_pytorch.0"], rebuild: augmentation),
        Kind(tensors: ["input.image"], config: ["scales"], rebuild: cubicResize),
        Kind(tensors: ["input.noisy", "output.denoised"], config: ["model", "sigma"], rebuild: published),
        Kind(tensors: ["input.float_a", "output.float.*"], rebuild: fidelity),
        Kind(config: ["container_key"], source: "torch.save", rebuild: torchFiles),
    ]

    static func recognizes(_ fixture: Fixture) -> Bool { kinds.contains { $0.matches(fixture) } }

    static func verify(_ fixture: Fixture) throws -> VerificationResult {
        guard let kind = kinds.first(where: { $0.matches(fixture) }) else {
            throw UnsupportedFixture("\(fixture.name) is no case of image denoising")
        }
        return try kind.rebuild(fixture)
    }

    /// A check with the tolerances of the specification (section 11): ten times what the original itself loses to
    /// single precision. The metadata gives that relative to the largest value; relative to the RMS it is up to four
    /// times as much.
    /// - Parameters:
    ///   - outputNoise: for a case without the figure.
    ///   - gradientNoise: instead of the case's figure.
    static func check(
        _ fixture: Fixture, outputNoise: Double = 1e-7, gradientNoise: Double? = nil
    ) -> GradientCheck {
        let noise = fixture.metadata("fp32_noise")
        func tolerance(_ measured: Double?, _ least: Double) -> Double { 40 * max(measured ?? least, 1e-7) }
        return GradientCheck(
            fixture, outputs: tolerance(noise?["output"]?.number, outputNoise),
            gradients: tolerance(gradientNoise ?? noise?["grad"]?.number, 1e-7))
    }

    static func isTraining(_ fixture: Fixture) -> Bool { fixture.file.metadata["mode"] == "train" }
}
