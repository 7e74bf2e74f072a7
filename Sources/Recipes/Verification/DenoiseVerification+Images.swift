import Archives
import Backbones
import Checkpoints
import Denoising
import Foundation
import Layers
import Tensors

// Noise, augmentation, resizing, published weights, PyTorch files.
extension DenoiseVerification {
    static func counterNoise(_ fixture: Fixture) throws -> VerificationResult {
        var result = VerificationResult()
        for stored in fixture.outputs {
            let parts = stored.name.split(separator: "_")
            guard parts.count == 2, let seed = UInt64(parts[1]) else { continue }
            let noise = CounterNoise(seed: seed)
            let count = stored.elementCount
            switch parts[0] {
            case "bits":
                // In halves, which numbers hold exactly.
                func halves(_ word: UInt64) -> [Double] { [Double(word >> 32), Double(word & 0xFFFF_FFFF)] }
                let found = (0..<UInt64(count)).flatMap { halves(noise.word($0)) }
                let expected = stored.integers.flatMap { halves(UInt64(bitPattern: Int64($0))) }
                result.addOutput(
                    Comparison(
                        name: stored.name, found, shape: [2 * count], expected: expected, shape: [2 * count]),
                    within: 0)
            case "uniform": result.add(stored, (0..<UInt64(count)).map(noise.uniform), within: 0)
            case "normal": result.add(stored, noise.normals(count), within: 1e-14)
            default: break
            }
        }
        let crop = try fixture.input("crop_u8")
        let (sigma, a, b) = (try fixture.number("sigma"), try fixture.number("a"), try fixture.number("b"))
        let seed = try fixture.count("seed_crop", in: 0...Int.max)
        let noise = CounterNoise(seed: UInt64(seed)).normals(crop.elementCount)
        let clean = crop.doubles.map { $0 / 255 }
        if let expected = fixture.file["output.awgn25"] {
            result.add(expected, zip(clean, noise).map { Double(Float($0 + sigma / 255 * $1)) }, within: 1e-7)
        }
        if let expected = fixture.file["output.heteroscedastic"] {
            result.add(
                expected, zip(clean, noise).map { Double(Float($0 + (a * $0 + b).squareRoot() * $1)) },
                within: 1e-7)
        }
        return result
    }

    static func augmentation(_ fixture: Fixture) throws -> VerificationResult {
        let image = try fixture.input("a")
        guard image.shape.count == 2, image.elementCount > 0 else {
            throw fixture.problem("input.a is \(image.shape)")
        }
        let x = Tensor(shape: [1, image.shape[0], image.shape[1], 1], scalars: image.floats)
        var result = VerificationResult()
        for (name, modes) in [("dncnn_pytorch", Dihedral.dncnnPyTorch), ("kair", Dihedral.kair)] {
            for (index, mode) in modes.enumerated() {
                let y = mode.apply(to: x)
                let expected = try fixture.output("\(name).\(index)")
                result.addOutput(
                    Comparison(
                        name: expected.name, y.scalars, shape: [y.shape[1], y.shape[2]], expected: expected),
                    within: 0)
                result.addOutput(
                    Comparison(
                        name: "\(name).\(index) undone", mode.inverse.apply(to: y).scalars,
                        shape: image.shape,
                        expected: image), within: 0)
            }
        }
        return result
    }

    static func cubicResize(_ fixture: Fixture) throws -> VerificationResult {
        let image = try fixture.input("image")
        guard image.shape.count == 2, image.elementCount > 0 else {
            throw fixture.problem("input.image is \(image.shape), needs one grey image")
        }
        let bytes = image.integers.map { UInt8(clamping: $0) }
        var result = VerificationResult()
        for scale in fixture.config["scales"]?.numbers ?? [] {
            let expected = try fixture.output("scale\(scale)")
            guard expected.shape.count == 2, expected.elementCount > 0 else {
                throw fixture.problem("output.\(expected.name) is \(expected.shape)")
            }
            let resized = CubicResize.resized(
                bytes, height: image.shape[0], width: image.shape[1], toHeight: expected.shape[0],
                toWidth: expected.shape[1])
            // OpenCV's vector code rounds otherwise: a difference of one is agreement.
            let beyond = zip(resized, expected.integers).map { max(0, abs(Int($0) - $1) - 1) }
            result.addOutput(
                Comparison(
                    name: expected.name, beyond.map(Double.init), shape: expected.shape,
                    expected: beyond.map { _ in 0 }, shape: expected.shape), within: 0)
        }
        return result
    }

    /// A crop of a test image through published weights, which lie with the data and not in the case.
    static func published(_ fixture: Fixture) throws -> VerificationResult {
        let path = try dataFile(try fixture.string("model"), fixture)
        let stored = try WeightsFile.read(path: path)
        let network = try RestorationNetwork(
            inferredFrom: Dictionary(stored.map { ($0.name, Shape($0.shape)) }) { first, _ in first })
        let store = ParameterStore(
            .loaded(Dictionary(stored.map { ($0.name, $0.tensor) }) { first, _ in first }), isTracked: false)
        let restorer = network.makeRestorer(store.scope)
        try store.validate()
        let noisy = try fixture.imageTensor("noisy", channels: restorer.imageChannels)
        let sigma = try fixture.number("sigma")
        // Up to twenty layers of 64 to 96 channels: the largest figure recorded for a chain.
        var check = check(fixture, outputNoise: 4e-7)
        try check.output("denoised", restorer.restore(noisy, RestorationCondition(sigma: Float(sigma))))
        if let seed = fixture.config["noise_seed"]?.integer, seed >= 0,
            let clean = fixture.file["input.clean_u8"]
        {
            // The noise is planar, as the file is.
            let noise = CounterNoise(seed: UInt64(seed)).normals(clean.elementCount)
            let made = zip(clean.doubles, noise).map { Double(Float($0 / 255 + sigma / 255 * $1)) }
            check.result.add(try fixture.input("noisy"), made, within: 1e-7)
        }
        return check.result
    }

    /// A file of the denoising data: below `SFUMATO_DATA`, or where the data lie beside the cases.
    private static func dataFile(_ name: String, _ fixture: Fixture) throws -> String {
        var roots: [String] = []
        if let data = ProcessInfo.processInfo.environment["SFUMATO_DATA"] { roots.append(data) }
        roots.append(joinPath(splitPath(fixture.path).folder, "../../data"))
        let paths = roots.map { joinPath(joinPath($0, "denoise"), name) }
        guard let path = paths.first(where: fileExists) else {
            throw UnsupportedFixture(
                "it needs the published weights denoise/\(name); set SFUMATO_DATA to the folder that holds denoise/"
            )
        }
        return path
    }

    /// Files that `torch.save` wrote, beside a file of what they hold: `NAME_expected.safetensors` describes every
    /// `NAME_*.pth` in its folder.
    static func torchFiles(_ fixture: Fixture) throws -> VerificationResult {
        let (folder, name) = splitPath(fixture.path)
        guard name.hasSuffix("_expected.safetensors") else {
            throw UnsupportedFixture(
                "\(name) is not named …_expected.safetensors, so its .pth files cannot be found")
        }
        let stem = name.dropLast("expected.safetensors".count)
        let files = try folderContents(folder).sorted().filter { $0.hasPrefix(stem) && $0.hasSuffix(".pth") }
        guard !files.isEmpty else { throw UnsupportedFixture("there is no \(stem)*.pth beside it") }
        var result = VerificationResult()
        for file in files {
            result.outputs += try compare(torchFile: joinPath(folder, file), with: fixture).outputs
        }
        return result
    }
}

extension VerificationResult {
    /// Compares numbers in a stored tensor's own order with it.
    mutating func add(_ expected: StoredTensor, _ values: [Double], within tolerance: Double) {
        addOutput(
            Comparison(
                name: expected.name, values, shape: expected.shape, expected: expected.doubles,
                shape: expected.shape),
            within: tolerance)
    }
}
