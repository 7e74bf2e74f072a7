import Archives
import Checkpoints
import Metrics

/// Inception features on disk, a file per chunk of images, so that an interrupted evaluation goes on where it stopped
/// and a reference is measured once.
///
/// Features are found again only under the same weights, input mode (which says how images are resized) and images.
struct FeatureCache: Sendable {
    /// Images per file.
    static let chunk = 256

    private let folder: String

    /// - Parameters:
    ///   - weights: digest of the network's weights.
    ///   - images: digest of the images.
    /// - Throws: `FileError` when the folder cannot be made.
    init(root: String, weights: String, mode: InceptionMode, images: String) throws {
        let text = "1 \(weights) \(mode.rawValue) \(Self.chunk) \(images)"
        let key = Array(text.utf8).withUnsafeBytes { SHA256.hexadecimal($0) }
        folder = joinPath(root, String(key.prefix(32)))
        try makeFolder(folder)
    }

    /// What was stored for the images from `first` on; nil when there is nothing sound.
    func features(first: Int, count: Int, includesSpatial: Bool) -> InceptionFeatures? {
        guard let file = try? SafetensorsFile(path: path(first)), let pooled = file["pooled"],
            pooled.shape == [count, InceptionNetwork.dimensions], pooled.type == .float32
        else { return nil }
        let spatial = file["spatial"]
        let fits = spatial?.shape == [count, InceptionFeatures.spatialDimensions]
        guard !includesSpatial || fits else { return nil }
        return InceptionFeatures(
            count: count, pooled: pooled.floats, spatial: includesSpatial ? spatial?.floats : nil)
    }

    func store(_ features: InceptionFeatures, first: Int) throws {
        var tensors = [
            StoredTensor(
                name: "pooled", shape: [features.count, InceptionNetwork.dimensions], floats: features.pooled)
        ]
        if let spatial = features.spatial {
            tensors.append(
                StoredTensor(
                    name: "spatial", shape: [features.count, InceptionFeatures.spatialDimensions],
                    floats: spatial))
        }
        try SafetensorsFile.write(tensors, to: path(first))
    }

    private func path(_ first: Int) -> String { joinPath(folder, "features-\(first).safetensors") }
}
