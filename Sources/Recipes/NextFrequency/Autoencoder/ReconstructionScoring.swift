import Images
import Metrics
import Tensors
import Training

/// What is left of images after coding: a picture of some beside their originals, and the mean PSNR of more.
struct ReconstructionScoring {
    let dataset: any ImageDataset
    let preparation: ImagePreparation
    let settings: ReconstructionSettings

    struct Result {
        /// Each image left of its reconstruction.
        let picture: Image
        /// Mean over the images, in decibels.
        let psnr: Double
    }

    /// - Throws: errors of reading the images.
    func score(_ model: FRVAE) throws -> Result {
        let limit = max(settings.count, settings.scoredCount)
        let source = PreparedDataset(base: Subset(dataset, limit: limit), preparation: preparation)
        let scoredCount = min(settings.scoredCount, source.count)
        var (shown, total) = ([Image](), 0.0)
        for first in stride(from: 0, to: source.count, by: 32) {
            let places = Array(first..<min(first + 32, source.count))
            let originals = try ComputeThreads.map(places) { place in
                try source.image(at: place).eightBit().converted(to: preparation.channels == 1 ? .grey : .rgb)
            }
            let made = try model.reconstruct(originals)
            for (place, (original, image)) in zip(places, zip(originals, made)) {
                if place < scoredCount {
                    total += try ImageFidelity.psnr(PixelGrid(rgb: original.rgb), PixelGrid(rgb: image.rgb))
                }
                if place < settings.count { shown += [original, image] }
            }
        }
        return Result(picture: .grid(shown, columns: 8), psnr: total / Double(scoredCount))
    }
}
