import Archives
import Images
import Metrics
import Tensors

/// Measures one set of images in bounded memory: a chunk at a time, features of the FID network from the cache where
/// they are there.
struct SetMeasurement {
    let source: any ImageSource
    let needs: MeasurementNeeds
    let network: FeatNet?
    let extractor: InceptionExtractor?
    /// The folder of cached features; nil for none.
    let cacheFolder: String?

    /// What is reported of the data beside its scores.
    struct Result {
        let measures: SampleSetMeasures
        /// Nil where nothing needed it.
        let dataDigest: String?
    }

    /// - Parameter progress: called with the number of images measured since the last call.
    func run(progress: (Int) -> Void) throws -> Result {
        guard let extractor, !needs.isDisjoint(with: .anyInception) else {
            var measurer = SampleSetMeasurer(name: source.name, network: network, needs: needs)
            try forEachChunk { range in
                try measurer.add(source.images(range))
                progress(range.count)
            }
            return Result(measures: try measurer.finish(), dataDigest: nil)
        }
        return try run(extractor, progress)
    }

    private func run(_ extractor: InceptionExtractor, _ progress: (Int) -> Void) throws -> Result {
        // Samples of weights that are still trained are never seen again.
        let digest = try source.identity ?? (source is GeneratedSource ? nil : contentDigest())
        var cache: FeatureCache?
        if let cacheFolder, let digest {
            cache = try FeatureCache(
                root: cacheFolder, weights: extractor.digest, mode: extractor.mode, images: digest)
        }
        var simple = SampleSetMeasurer(name: source.name, network: network, needs: needs)
        var inception = InceptionMeasurer(extractor, needs: needs)
        let needsPixels = !needs.subtracting(.anyInception).isEmpty
        let includesSpatial = needs.contains(.inceptionSpatial)
        try forEachChunk { range in
            let known = cache?.features(
                first: range.lowerBound, count: range.count, includesSpatial: includesSpatial)
            let images = known == nil || needsPixels ? try source.images(range) : []
            if needsPixels { try simple.add(images) }
            if let known {
                inception.add(known)
                progress(range.count)
                return
            }
            let features = try self.features(images, extractor, progress)
            try cache?.store(features, first: range.lowerBound)
            inception.add(features)
        }
        var measures =
            needsPixels
            ? try simple.finish() : SampleSetMeasures(name: source.name, count: source.count)
        measures.inception = try inception.finish(name: source.name)
        return Result(measures: measures, dataDigest: digest)
    }

    /// A few images at a time, so that progress moves and memory stays small.
    private func features(
        _ images: [Image], _ extractor: InceptionExtractor, _ progress: (Int) -> Void
    ) throws -> InceptionFeatures {
        var (pooled, spatial) = ([Float](), [Float]())
        let includesSpatial = needs.contains(.inceptionSpatial)
        for first in stride(from: 0, to: images.count, by: 16) {
            let part = images[first..<min(first + 16, images.count)].map(PixelGrid.init(rgb:))
            let features = try extractor.features(of: part, includesSpatial: includesSpatial)
            pooled += features.pooled
            spatial += features.spatial ?? []
            progress(part.count)
        }
        return InceptionFeatures(
            count: images.count, pooled: pooled, spatial: includesSpatial ? spatial : nil)
    }

    /// SHA-256 of the images' hashes in order.
    private func contentDigest() throws -> String {
        var hash = SHA256()
        try forEachChunk { range in
            let hashes = try source.images(range).map(\.contentHash)
            hashes.withUnsafeBytes { hash.update($0) }
        }
        return hash.hexadecimal()
    }

    private func forEachChunk(_ body: (Range<Int>) throws -> Void) rethrows {
        let (count, chunk) = (source.count, FeatureCache.chunk)
        for first in stride(from: 0, to: count, by: chunk) { try body(first..<min(first + chunk, count)) }
    }
}
