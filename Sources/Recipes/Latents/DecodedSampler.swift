import Checkpoints
import Images
import Layers
import Tensors

/// Draws images of a model of latents: the sampler's latents, decoded.
struct DecodedSampler: ImageSampler {
    let base: any ImageSampler
    let decoder: LoadedKLAutoencoder

    var stepCount: Int { base.stepCount }
    var subjects: [String]? { base.subjects }
    var facts: [(name: String, value: String)] {
        base.facts + [("decoder", "\(decoder.path), sha256 \(decoder.identity.digest.prefix(12))…")]
    }

    /// - Parameter size: of the latents.
    func samples(
        _ items: [GenerationPlan.Item], size: ImageSize, onStep: (ImageSamplerStep) throws -> Bool
    ) rethrows -> Tensor? {
        let latents = try base.samples(items, size: size) { step in
            try onStep(
                ImageSamplerStep(index: step.index, count: step.count) { decoder.images(of: step.preview()) })
        }
        return latents.map(decoder.images)
    }
}

extension GenerationPlan {
    /// The autoencoder that a recipe names, checked against the model; the recipe gets its digest.
    /// - Throws: `GenerationError` when it is another than the recipe tells, or not the model's; errors of the file.
    static func decoder(_ recipe: inout SamplingRecipe, _ model: LoadedModel, size: ImageSize) throws
        -> LoadedKLAutoencoder?
    {
        guard let path = recipe.decoder else { return nil }
        let decoder = try LoadedKLAutoencoder(path: path)
        let (found, channels) = (decoder.identity, model.configuration.model.inputChannels)
        guard channels == found.latentChannels else {
            throw GenerationError(
                "\(path): decodes latents of \(found.latentChannels) channels, \(model.path) makes \(channels)"
            )
        }
        if let known = model.configuration.autoencoder { try decoder.check(known, of: model.path) }
        if let digest = recipe.decoderDigest, digest != found.digest {
            throw GenerationError(
                "\(path): is not the decoder that was used (sha256 \(digest.prefix(12))…, found "
                    + "\(found.digest.prefix(12))…); give the right one with --decoder")
        }
        try decoder.check(ImageSize(width: size.width * found.stride, height: size.height * found.stride))
        recipe.decoderDigest = found.digest
        return decoder
    }
}
