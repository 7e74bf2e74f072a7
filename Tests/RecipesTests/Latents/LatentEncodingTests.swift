import Archives
import Checkpoints
import Foundation
import Images
import Recipes
import TestSupport
import Tensors
import Testing
import Training

@Suite struct LatentEncodingTests {
    private func settings(_ change: (inout EncodingSettings) -> Void = { _ in }) -> EncodingSettings {
        var settings = EncodingSettings()
        (settings.size, settings.partSize) = (ImageSize(width: 12, height: 8), 3)
        change(&settings)
        return settings
    }

    @discardableResult private func encode(
        _ images: String, _ autoencoder: String, to folder: String, _ settings: EncodingSettings,
        onBadImage: BadImagePolicy = .skip, stopAfter limit: Int = .max
    ) throws -> (isComplete: Bool, skipped: [String]) {
        let encoding = try LatentEncoding(
            DatasetSpecification(path: images).open(), autoencoder: LoadedKLAutoencoder(path: autoencoder),
            settings: settings, folder: folder, onBadImage: onBadImage)
        var (done, skipped) = (0, [String]())
        let isComplete = try encoding.run(until: { done >= limit }) { event in
            if case .advanced(let count) = event { done += count }
            if case .skipped(let image) = event { skipped.append(image.description) }
        }
        return (isComplete, skipped)
    }

    private func contents(_ folder: String) throws -> [String: [UInt8]] {
        Dictionary(
            uniqueKeysWithValues: try folderContents(folder).map {
                ($0, Array(try bytes(of: joinPath(folder, $0))))
            })
    }

    @Test
    func `an encoding that was stopped goes on to the bytes of one left alone, on any number of threads`()
        throws
    {
        try withTemporaryFolder { folder in
            let (images, model) = (
                try TinyAutoencoder.images(8, in: folder), try TinyAutoencoder.checkpoint(in: folder)
            )
            let (whole, broken) = (joinPath(folder, "whole"), joinPath(folder, "broken"))
            let settings = settings { ($0.kept, $0.mirrored) = (.moments, true) }
            #expect(try encode(images, model, to: whole, settings).isComplete)
            #expect(try !encode(images, model, to: broken, settings, stopAfter: 4).isComplete)
            #expect(try contents(broken).count < 3)
            let threads = ComputeThreads.count
            ComputeThreads.setCount(1)
            defer { ComputeThreads.setCount(threads) }
            #expect(try encode(images, model, to: broken, settings).isComplete)
            #expect(try contents(whole) == contents(broken))
            #expect(try contents(whole).count == 3)
            let data = try LatentDataset(path: whole)
            #expect((data.count, data.width, data.height, data.channels) == (8, 6, 4, 2))
            #expect(data.classNames == ["left", "right"] && data.hasMirrored)
            #expect((0..<8).map { data.label(at: $0) } == [0, 0, 0, 0, 1, 1, 1, 1])
            #expect(data.name(at: 5) == "right/3.png")
        }
    }

    @Test func `latents decode to the image, and what is kept differs as it should`() throws {
        try withTemporaryFolder { folder in
            let (images, path) = (
                try TinyAutoencoder.images(4, in: folder), try TinyAutoencoder.checkpoint(in: folder)
            )
            func latents(_ name: String, _ change: @escaping (inout EncodingSettings) -> Void = { _ in })
                throws
                -> LatentDataset
            {
                let target = joinPath(folder, name)
                if !fileExists(target) { try encode(images, path, to: target, settings(change)) }
                return try LatentDataset(path: target)
            }
            let mean = try latents("mean").latent(at: 1).scalars
            #expect(mean.contains { $0 != 0 } && mean.allSatisfy(\.isFinite))
            let moments = try latents("moments") { $0.kept = .moments }.latent(at: 1).scalars
            #expect(moments == mean)
            let sample = try latents("sample") { $0.kept = .sample }.latent(at: 1).scalars
            let again = try latents("again") { $0.kept = .sample }.latent(at: 1).scalars
            let other = try latents("other") { ($0.kept, $0.seed) = (.sample, 1) }.latent(at: 1).scalars
            #expect(sample != mean && sample == again && sample != other)
            let half = try latents("half") { $0.precision = .float16 }.latent(at: 1).scalars
            let error = zip(half, mean).map { abs($0 - $1) }.max() ?? 0
            #expect(error > 0 && error < 1e-3, "\(mean.prefix(8)) and \(half.prefix(8))")

            let autoencoder = try LoadedKLAutoencoder(path: path)
            let decoding = try LatentDecoding(latents: joinPath(folder, "mean"), autoencoder: autoencoder)
            var decoded: [Image] = []
            let isComplete = decoding.run { _, images in
                decoded += images
                return true
            }
            #expect(isComplete)
            #expect(decoded.count == 4 && decoding.fileName(3) == "right/00000003.png")
            let direct = autoencoder.images(of: try latents("mean").latent(at: 1))
            #expect(decoded[1].bytes == Image.batch(direct)[0].bytes)
        }
    }

    @Test func `a training draws afresh from moments, and flips where there are mirrored latents`() throws {
        try withTemporaryFolder { folder in
            let (images, path) = (
                try TinyAutoencoder.images(4, in: folder), try TinyAutoencoder.checkpoint(in: folder)
            )
            let target = joinPath(folder, "latents")
            try encode(images, path, to: target, settings { ($0.kept, $0.mirrored) = (.moments, true) })
            let data = try LatentDataset(path: target)
            func batches(flips: Bool, threads: Int, from first: Int = 0) throws -> [[Float]] {
                let options = DataLoaderOptions(batchSize: 3, seed: 9, threads: threads)
                let loader = try DataLoader(
                    latents: data, flips: flips, options, position: DataPosition(samples: first))
                defer { loader.stop() }
                return try (0..<8).map { _ in try loader.next().images.scalars }
            }
            let one = try batches(flips: true, threads: 1)
            #expect(try batches(flips: true, threads: 3) == one)
            #expect(try batches(flips: true, threads: 2, from: 6)[0] == one[2])
            #expect(try batches(flips: false, threads: 1) != one)
            // Four images, 24 visits: every visit has its own numbers.
            let row = data.width * data.height * data.channels
            let visits = one.flatMap { batch in (0..<3).map { Array(batch[$0 * row..<($0 + 1) * row]) } }
            #expect(Set(visits).count == 24)
        }
    }

    @Test func `a damaged image is left out and named, or stops`() throws {
        try withTemporaryFolder { folder in
            let (images, path) = (
                try TinyAutoencoder.images(4, in: folder), try TinyAutoencoder.checkpoint(in: folder)
            )
            try AtomicFile.write([1, 2, 3] as [UInt8], to: joinPath(images, "left/0.png"))
            let target = joinPath(folder, "latents")
            let (isComplete, skipped) = try encode(images, path, to: target, settings())
            #expect(isComplete && skipped.count == 1 && skipped[0].contains("left/0.png"))
            #expect(try LatentDataset(path: target).count == 3)
            #expect {
                try encode(images, path, to: joinPath(folder, "strict"), settings(), onBadImage: .error)
            } throws: { "\($0)".contains("left/0.png") }
        }
    }

    @Test func `what cannot be encoded is said before anything is computed`() throws {
        try withTemporaryFolder { folder in
            let (images, path) = (
                try TinyAutoencoder.images(4, in: folder), try TinyAutoencoder.checkpoint(in: folder)
            )
            let target = joinPath(folder, "latents")
            #expect { try encode(images, path, to: target, settings { $0.size = ImageSize(9) }) } throws: {
                "\($0)".contains("size must have sides that are multiples of 2")
            }
            #expect {
                try encode(images, path, to: target, settings { $0.size = ImageSize(1 << 20) })
            } throws: { "\($0)".contains("for one image with \(path), this machine has") }
            #expect(!fileExists(target))
            try encode(images, path, to: target, settings())
            #expect { try encode(images, path, to: target, settings { $0.kept = .moments }) } throws: {
                "\($0)".contains("holds latents made in another way (encoding.kept")
            }
            #expect { try DatasetSpecification(path: target).open() } throws: {
                "\($0)".contains("it holds latents, and images are needed")
            }
            let other = try LoadedKLAutoencoder(
                path: TinyAutoencoder.checkpoint(in: folder, overrides: ["model.scale=0.4"]))
            #expect { try LatentDecoding(latents: target, autoencoder: other) } throws: {
                "\($0)".contains("its scale is 0.4, found 0.5; give the one the latents were made with")
            }
        }
    }

    @Test func `a set that is not whole, or mixed, is refused`() throws {
        try withTemporaryFolder { folder in
            let (images, path) = (
                try TinyAutoencoder.images(8, in: folder), try TinyAutoencoder.checkpoint(in: folder)
            )
            let (target, other) = (joinPath(folder, "latents"), joinPath(folder, "other"))
            try encode(images, path, to: target, settings())
            try encode(images, path, to: other, settings { ($0.kept, $0.seed) = (.sample, 3) })
            let part = joinPath(target, LatentPart.fileName(1))
            try AtomicFile.write(Array(bytes(of: joinPath(other, LatentPart.fileName(1)))), to: part)
            #expect { try LatentDataset(path: target) } throws: {
                "\($0)".contains("it was made in another way than the other parts")
            }
            try AtomicFile.write(Array(bytes(of: part).prefix(200)), to: part)
            #expect(throws: CheckpointFileError.self) { try LatentDataset(path: target) }
            try FileManager.default.removeItem(atPath: part)
            #expect { try LatentDataset(path: target) } throws: {
                "\($0)".contains("it has 2 of 3 parts; run the same sfumato encode again")
            }
            #expect(throws: DatasetError.self) { try LatentDataset(path: joinPath(folder, "nothing")) }
        }
    }

    @Test func `arrays of other origin decode, others are refused`() throws {
        try withTemporaryFolder { folder in
            let autoencoder = try LoadedKLAutoencoder(path: TinyAutoencoder.checkpoint(in: folder))
            func decoding(_ shape: [Int], _ name: String = "arr_0") throws -> LatentDecoding {
                let path = joinPath(folder, "samples.npz")
                let values = RandomStream(seed: 2).normals(Shape(shape)).scalars
                try NumPyArchive.write([StoredTensor(name: name, shape: shape, floats: values)], to: path)
                return try LatentDecoding(latents: path, autoencoder: autoencoder)
            }
            let decoding3 = try decoding([3, 2, 4, 2])
            #expect(
                decoding3.imageSize == ImageSize(width: 8, height: 4)
                    && decoding3.fileName(2) == "00000002.png")
            #expect { try decoding([3, 2, 4, 5]) } throws: { "\($0)".contains("5 channels") }
            #expect { try decoding([3, 2]) } throws: {
                "\($0)".contains("holds no latents: an array [N, h, w, c]")
            }
        }
    }
}
