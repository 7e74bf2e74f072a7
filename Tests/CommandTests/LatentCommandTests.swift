import Archives
import Backbones
import Checkpoints
import Images
import Layers
import Recipes
import Tensors
import TestSupport
import Testing

/// From published weights and a folder of images to pictures of a model of latents, by commands alone.
@Suite struct LatentCommandTests {
    private static let small = [
        "--set", "model.channels=[8, 8]", "--set", "model.groups=4", "--set", "model.latentChannels=2",
        "--set", "model.blocksPerLevel=1",
    ]

    /// Weights as another program writes them, and six images of one class.
    private func prepare(_ folder: String) throws {
        var configuration = KLAutoencoderConfiguration.sdxl
        (configuration.channels, configuration.groups) = ([8, 8], 4)
        (configuration.latentChannels, configuration.blocksPerLevel) = (2, 1)
        let weights = configuration.parameterShapes.map { name, shape in
            OutgoingTensor(name: name, RandomStream(seed: 2).stream(named: name).normals(shape) * 0.2)
        }
        try SafetensorsFile.write(weights, to: joinPath(folder, "vae.safetensors"))
        try makeFolder(joinPath(folder, "images"))
        for index in 0..<6 {
            let image = Image(width: 20, height: 16, color: [UInt8(40 * index), 90, 200])
            try image.write(to: joinPath(folder, "images/\(index).png"))
        }
    }

    @Test func `published weights, images, latents, a model of them, pictures`() throws {
        try withTemporaryFolder { folder in
            try prepare(folder)
            func path(_ name: String) -> String { joinPath(folder, name) }
            func run(_ arguments: [String], status: Int32 = 0) throws -> CommandRun {
                let run = try CommandRun(arguments)
                #expect(run.status == status, "\(arguments): \(run.errors)")
                return run
            }
            let vae = path("converted.safetensors")
            _ = try run(["convert", path("vae.safetensors"), vae, "--architecture", "kl8-sdxl"] + Self.small)
            #expect(try run(["inspect", vae]).output.contains("KL autoencoder"))
            let encode = [
                "encode", path("images"), "--autoencoder", vae, "--size", "16", "--part-size", "4", "--out",
                path("latents"),
            ]
            #expect(try run(encode + ["--dry-run"]).output.contains("2 of up to 4 images"))
            #expect(try run(encode).output == path("latents") + "\n")
            let other = try run(encode + ["--keep", "moments"], status: 1)
            #expect(other.errors.contains("holds latents made in another way"))
            let odd = try run(["encode", path("images"), "--autoencoder", vae, "--size", "15"], status: 1)
            #expect(odd.errors.contains("size must have sides that are multiples of 2"))

            _ = try run(["decode", path("latents"), "--autoencoder", vae, "--out", path("decoded")])
            #expect(try folderContents(path("decoded")).count == 6)
            let again = try run(
                ["decode", path("latents"), "--autoencoder", vae, "--out", path("decoded")], status: 1)
            #expect(again.errors.contains("already exists; choose another --out, or add --overwrite"))

            let config = """
                model: {kind: dico, inputChannels: 2, hiddenSize: 4, depth: [1, 1, 1, 1, 1], patchSize: 1, classCount: 0, learnSigma: false}
                data: {kind: latents, path: '\(path("latents"))', size: 8, channels: 2, flip: false}
                objective: {kind: flow}
                batchSize: 2
                steps: 2
                samples: {every: 0}
                """
            try makeFolder(path("configs"))
            try AtomicFile.write(config, to: path("configs/tiny.yaml"))
            _ = try run(["train", path("configs/tiny.yaml"), "--out", path("run")])
            let generate = [
                "generate", "heun-18", "--checkpoint", path("run"), "--steps", "2", "-n", "2", "--out",
                path("drawn"),
            ]
            let bare = try run(generate, status: 1)
            #expect(
                bare.errors.contains(
                    "makes latents of 2 channels, no pictures; give their autoencoder with --decoder"))
            _ = try run(generate + ["--decoder", vae])
            let image = try Image(path: path("drawn/00000001.png"))
            #expect((image.width, image.height, image.channels) == (16, 16, 3))
            let like = ["generate", "--like", path("drawn/00000001.png"), "--out", path("again")]
            _ = try run(like)
            #expect(try Image(path: path("again/00000001.png")).samples == image.samples)

            // Latents that were written instead of pictures decode to the same.
            _ = try run(generate.dropLast() + [path("arrays"), "--npz", "--no-images"])
            _ = try run(
                ["decode", path("arrays/samples.npz"), "--autoencoder", vae, "--out", path("late")])
            #expect(try Image(path: path("late/00000001.png")).samples == image.samples)
        }
    }
}
