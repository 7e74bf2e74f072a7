import Backbones
import Checkpoints
import Layers
import Tensors

extension LINACheck {
    /// An autoencoder in the words of the diffusers-like config.
    func autoencoder(_ settings: JSONValue, attends: Bool) throws -> KLAutoencoderConfiguration {
        guard let channels = settings["block_out_channels"]?.integers,
            let blocks = settings["layers_per_block"]?.integer,
            let latent = settings["latent_channels"]?.integer,
            let scale = settings["scaling_factor"]?.number
        else { throw CheckpointFileError(file: fixture.path, problem: "its config describes no autoencoder") }
        var configuration = KLAutoencoderConfiguration()
        (configuration.channels, configuration.blocksPerLevel, configuration.latentChannels) = (
            channels, blocks, latent
        )
        (configuration.scale, configuration.shift) = (scale, settings["shift_factor"]?.number ?? 0)
        configuration.attendsInEncoder = attends
        try configuration.validate()
        return configuration
    }

    /// Encodes, draws and decodes the case's image, comparing what it has.
    mutating func compare(_ autoencoder: KLAutoencoder) throws {
        let configuration = autoencoder.configuration
        let image = try image("image", [nil, configuration.imageChannels, nil, nil])
        let stride = configuration.stride
        try require(
            image.shape[1] % stride == 0 && image.shape[2] % stride == 0,
            "the image \(image.shape) does not divide by \(stride)")
        let posterior = autoencoder.encode(image)
        let noise = try self.image(
            "noise",
            [image.shape[0], configuration.latentChannels, image.shape[1] / stride, image.shape[2] / stride])
        let latent = posterior.sample(noise)
        try imageOutput("moments", posterior.moments)
        try imageOutput("latent", latent)
        if fixture.file["output.scaled"] != nil { try imageOutput("scaled", autoencoder.scaled(latent)) }
        let decoded = autoencoder.decode(latent)
        try imageOutput("decoded", decoded)
        if fixture.file["output.uint8"] != nil {
            try bytes("uint8", decoded.bytes, shape: decoded.shape.extents)
        }
    }
}

extension LINAVerification {
    static func verifyAutoencoder(_ check: inout LINACheck) throws {
        let kind = try check.fixture.string("class")
        try check.require(
            ["AutoencoderKL", "AutoencoderKLMAR"].contains(kind), "the autoencoder \(kind) is not known")
        let configuration = try check.autoencoder(check.config, attends: kind == "AutoencoderKLMAR")
        let store = check.store(isTracked: false)
        let autoencoder = KLAutoencoder(store.scope, configuration)
        try store.validate()
        try check.compare(autoencoder)
    }

    /// The original's names, and the map between both schemes.
    static func verifyLatentDiffusionAutoencoder(_ check: inout LINACheck) throws {
        let factors = try check.fixture.integers("ch_mult")
        let base = try check.positive("ch")
        var configuration = KLAutoencoderConfiguration()
        configuration.channels = factors.map { $0 * base }
        configuration.blocksPerLevel = check.config["num_res_blocks"]?.integer ?? 2
        configuration.latentChannels = try check.positive("z_channels")
        let resolution = try check.positive("resolution")
        let attention = try check.fixture.integers("attn_resolutions")
        let deepest = resolution >> max(0, factors.count - 1)
        try check.require(
            attention.allSatisfy { $0 == deepest },
            "attention at \(attention) is not at the deepest level \(deepest)")
        configuration.attendsInEncoder = !attention.isEmpty
        try configuration.validate()
        let names = configuration.parameterShapes.map(\.name)
        configuration.naming = .latentDiffusion
        let store = check.store(isTracked: false)
        let autoencoder = KLAutoencoder(store.scope, configuration)
        try store.validate()
        if let map = check.config["name_map_diffusers_to_ldm"]?.object {
            let others = configuration.parameterShapes.map(\.name)
            let wrong =
                zip(names, others).filter { map[$0]?.string != $1 }.count + abs(map.count - names.count)
            check.result.addOutput(
                Comparison(name: "names", [Double(wrong)], shape: [1], expected: [0], shape: [1]), within: 0)
        }
        try check.compare(autoencoder)
    }
}
