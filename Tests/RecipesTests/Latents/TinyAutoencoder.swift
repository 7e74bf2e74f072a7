import Archives
import Backbones
import Checkpoints
import Images
import Layers
import Recipes
import Tensors

/// An autoencoder of images of some thousand numbers, as files of other programs have it: 2×2 pixels to a latent pixel of
/// two channels.
enum TinyAutoencoder {
    static let overrides = [
        "model.channels=[8, 8]", "model.groups=4", "model.latentChannels=2", "model.blocksPerLevel=1",
        "model.attendsInEncoder=true", "model.scale=0.5", "model.shift=0.1",
    ]

    static func configuration(_ naming: KLAutoencoderConfiguration.Naming) -> KLAutoencoderConfiguration {
        var configuration = KLAutoencoderConfiguration()
        (configuration.channels, configuration.groups, configuration.latentChannels) = ([8, 8], 4, 2)
        (configuration.blocksPerLevel, configuration.scale, configuration.shift) = (1, 0.5, 0.1)
        configuration.naming = naming
        return configuration
    }

    /// Drawn in the order of construction, so that both schemes of names hold the same network.
    static func weights(_ naming: KLAutoencoderConfiguration.Naming = .latentDiffusion) -> [StoredTensor] {
        configuration(naming).parameterShapes.enumerated().map { place, entry in
            let normals = RandomStream(seed: 11).stream(UInt64(place)).normals(entry.shape).scalars
            let base: Float = entry.name.contains("norm") && entry.name.hasSuffix("weight") ? 1 : 0
            return StoredTensor(
                name: entry.name, shape: entry.shape.extents, floats: normals.map { base + 0.15 * $0 })
        }
    }

    static func convert(_ tensors: [StoredTensor], in folder: String, overrides: [String] = overrides) throws
        -> KLAutoencoderConversion
    {
        let path = joinPath(folder, "weights.safetensors")
        try SafetensorsFile.write(tensors, to: path)
        return try KLAutoencoderConversion(
            source: path, architecture: "kl8-sd", overrides: overrides.map(SettingsOverride.init(parsing:)))
    }

    /// A converted checkpoint.
    static func checkpoint(in folder: String, overrides extra: [String] = []) throws -> String {
        let path = joinPath(folder, "autoencoder\(extra.count).safetensors")
        try convert(weights(), in: folder, overrides: overrides + extra).write(to: path, as: .float32)
        return path
    }

    /// `count` images of two classes in a folder.
    static func images(_ count: Int, in folder: String, size: Int = 10) throws -> String {
        let root = joinPath(folder, "images")
        for index in 0..<count {
            let className = ["left", "right"][index % 2]
            try makeFolder(joinPath(root, className))
            let pixels = RandomStream(seed: 4).stream(UInt64(index)).uniforms([size, size, 3]).scalars
            let samples = pixels.enumerated().map { place, value in
                let isBright = (place / 3 % size < size / 2) == (index % 2 == 0)
                return UInt8(value * 60 + (isBright ? 180 : 10))
            }
            try Image(width: size, height: size, channels: 3, samples: samples)
                .write(to: joinPath(root, "\(className)/\(index).png"))
        }
        return root
    }
}
