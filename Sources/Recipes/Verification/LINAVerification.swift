import Checkpoints
import Layers

/// Rebuilds the parity cases of LINA, of MAR and of their autoencoders. Which case a file is, is said by the code it
/// comes from (`source`) and by its `config`.
enum LINAVerification: FixtureFamily {
    private typealias Rebuild = @Sendable (inout LINACheck) throws -> Void

    static func recognizes(_ fixture: Fixture) -> Bool {
        let source = fixture.source
        return (source.contains("techmonsterwang/LINA") || source.contains("LTH14/mar"))
            && rebuild(fixture) != nil
    }

    static func verify(_ fixture: Fixture) throws -> VerificationResult {
        guard let rebuild = rebuild(fixture) else {
            throw UnsupportedFixture("\(fixture.name): no case of LINA is made by \(fixture.source)")
        }
        var check = LINACheck(fixture)
        try rebuild(&check)
        return check.result
    }

    /// The first entry all of whose words occur in the source.
    private static let table: [(words: [String], rebuild: Rebuild)] = [
        (["pipelines/nova/pipeline_nova_c2i.py", "MaskEmbed"], verifyMaskSchedules),
        (["vae.py AutoencoderKL"], verifyLatentDiffusionAutoencoder),
        (["autoencoders/autoencoder_kl"], verifyAutoencoder),
        (["mar.py MAR.sample_tokens"], verifyMARSampling),
        (["mar.py MAR.forward"], verifyMARTraining),
        (["DiffLoss.sample"], verifyDiffusionHeadSampling),
        (["diffloss.py DiffLoss"], verifyDiffusionLoss),
        (["SimpleMLPAdaLN"], verifyMARHead),
        (["class VisionTransformer"], verifyEncoder),
        (["vision_transformer", "class Block"], verifyBlock),
        (["vision_transformer", "class"], verifyMixer),
        (["PatchEmbed"], verifyPatches), (["RotaryEmbed3D"], verifyRotation),
        (["VideoPosEmbed"], verifyFramePositions), (["PosEmbed"], verifyPositions),
        (["TextEmbed"], verifyText), (["LabelEmbed"], verifyLabels), (["MaskEmbed"], verifyMasks),
        (["TimeCondEmbed"], verifyTimeCondition), (["AdaLayerNormZero"], verifyAdaptiveNorm),
        (["DiffusionMLP"], verifyHead), (["scheduling_flow.py"], verifyFlowTable),
        (["transformer_3d.py get_losses"], verifyFlowLoss), (["transformer_3d.py denoise"], verifyDenoising),
    ]

    private static func rebuild(_ fixture: Fixture) -> Rebuild? {
        let source = fixture.source
        if source.contains("NOVATransformer3DModel") {
            return fixture.config["num_inference_steps"] == nil ? verifyTraining : verifySampling
        }
        return table.first { $0.words.allSatisfy(source.contains) }?.rebuild
    }
}
