import Autoregression
import Backbones
import Layers
import Metrics
import Tensors
import Training

/// What an autoencoder learns from a batch, and what its discriminator learns from the same batch.
///
/// Both are updated at once: the autoencoder's gradient is that of its own loss, the discriminator's that of the
/// hinge loss of images and reconstructions.
struct AutoencoderTask {
    let model: FRVAE
    let discriminator: PatchDiscriminator?
    let loss: AutoencoderLossSettings
    /// The network of `loss.perceptual`.
    let perceptual: PerceptualDistance?
    /// Batches of an update.
    let accumulation: Int
    let seed: UInt64

    /// - Parameters:
    ///   - step: the update this batch belongs to, from 1.
    ///   - part: the number of the batch within the update.
    func evaluate(_ images: Tensor, step: Int, part: Int) -> BatchEvaluation {
        let judge = step > (loss.adversarial?.startStep ?? 0) ? discriminator : nil
        var form = FRVAELoss()
        form.pixel = loss.pixel
        form.codeWeight = Float(loss.codeWeight)
        form.adversarialWeight = Float(loss.adversarial?.weight ?? 0)
        if let perceptual, let settings = loss.perceptual {
            form.perceptual = { perceptual.loss($0, $1) }
            form.perceptualWeight = Float(settings.weight)
        }
        let value = form(model, images, discriminator: judge)
        var parts = value.parts
        let usage = model.quantizer.usage
        CodebookUsage.record(value.indices, into: usage, batch: (step - 1) * accumulation + part)
        let shares = CodebookUsage.shares(usage, positions: value.indices.map(\.count))
        for (level, share) in shares.enumerated() { parts["codes used \(level + 1)"] = share }
        let total = Double(value.total.item)
        var gradients = value.total.gradients()
        if let judge {
            let score = PatchDiscriminator.hingeLoss(real: judge(images), made: judge(value.made))
            parts["discriminator"] = Double(score.item)
            // The generator's loss has derivatives of the discriminator too; they are not what it learns from.
            gradients = gradients.replacing(with: score.gradients())
        }
        if let restart = loss.restart, part == 0, restart.isDue(step) {
            CodebookUsage.restart(
                model.quantizer.codebook, usage: usage, targets: value.targets, share: restart.share,
                stream: RandomStream(seed: seed).stream(named: "restart").stream(UInt64(step)))
        }
        return BatchEvaluation(loss: total, parts: parts, gradients: gradients)
    }
}
