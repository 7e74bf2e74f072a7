import Checkpoints
import Images
import Metrics

/// What became of every image.
public struct DenoisingReport: Sendable {
    public struct Entry: Sendable {
        public let input: String
        public let name: String
        public let output: String?
        /// What the network was told; nil when it was told nothing.
        public let sigma: Double?
        /// The noisy image against the clean one.
        public let before: Fidelity?
        public let after: Fidelity?
        /// The share of the noise that is left (`ImageFidelity.retainedNoise`); nil where there was none.
        public let retainedNoise: Double?
    }

    public struct Failure: Sendable {
        public let input: String
        public let problem: String
    }

    public let model: String
    public internal(set) var entries: [Entry] = []
    public internal(set) var failures: [Failure] = []

    init(model: String) { self.model = model }

    /// Likeness of two images by the protocol of denoising papers: samples as they are stored, peak 255 (16-bit
    /// samples divided by 257), no border left out; SSIM with an 11×11 Gaussian, mean of the channels. Alpha is not
    /// looked at.
    public struct Fidelity: Sendable {
        public let psnr: Double
        /// Nil for sides below 11 pixels.
        public let ssim: Double?

        init(_ image: Image, _ clean: Image) throws {
            let (a, b) = (PixelGrid(colours: image), PixelGrid(colours: clean))
            psnr = try ImageFidelity.psnr(a, b)
            ssim = min(a.height, a.width) >= 11 ? try ImageFidelity.ssim(a, b) : nil
        }
    }

    /// Whether there are figures.
    public var isScored: Bool { entries.contains { $0.after != nil } }

    /// In dB; nil where nothing was scored.
    public var meanPSNR: Double? { mean { $0.after?.psnr } }

    /// Means over the images that were scored; nil where none was.
    public var means: (noisyPSNR: Double?, psnr: Double?, ssim: Double?, retainedNoise: Double?) {
        (
            mean { $0.before?.psnr }, mean { $0.after?.psnr }, mean { $0.after?.ssim },
            mean { $0.retainedNoise }
        )
    }

    /// Means over the images, each image counting the same.
    private func mean(_ value: (Entry) -> Double?) -> Double? {
        let values = entries.compactMap(value)
        return values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
    }

    public var text: String {
        var table = TextTable(["image", "σ", "noisy dB", "PSNR dB", "SSIM", "noise left"])
        for entry in entries {
            table.add([
                entry.name, Self.fixed(entry.sigma, 2), Self.fixed(entry.before?.psnr, 4),
                Self.fixed(entry.after?.psnr, 4), Self.fixed(entry.after?.ssim, 4),
                Self.percent(entry.retainedNoise),
            ])
        }
        if entries.count > 1 {
            table.add([
                "mean of \(entries.count)", "", Self.fixed(mean { $0.before?.psnr }, 4),
                Self.fixed(mean { $0.after?.psnr }, 4), Self.fixed(mean { $0.after?.ssim }, 4),
                Self.percent(mean { $0.retainedNoise }),
            ])
        }
        return table.text
    }

    private static func fixed(_ value: Double?, _ digits: Int) -> String {
        value.map { TextTable.fixed($0, digits: digits) } ?? ""
    }

    static func percent(_ share: Double?) -> String {
        share.map { TextTable.fixed(100 * $0, digits: 1) + " %" } ?? ""
    }

    public var json: JSONValue {
        func number(_ value: Double?) -> JSONValue { value.map(JSONValue.number) ?? .null }
        let images = entries.map { entry -> JSONValue in
            [
                "input": .string(entry.input), "output": entry.output.map(JSONValue.string) ?? .null,
                "sigma": number(entry.sigma), "noisyPSNR": number(entry.before?.psnr),
                "noisySSIM": number(entry.before?.ssim), "psnr": number(entry.after?.psnr),
                "ssim": number(entry.after?.ssim), "retainedNoise": number(entry.retainedNoise),
            ]
        }
        let failed = failures.map { failure -> JSONValue in
            ["input": .string(failure.input), "problem": .string(failure.problem)]
        }
        return [
            "model": .string(model), "images": .array(images), "failed": .array(failed),
            "mean": [
                "noisyPSNR": number(mean { $0.before?.psnr }), "noisySSIM": number(mean { $0.before?.ssim }),
                "psnr": number(mean { $0.after?.psnr }), "ssim": number(mean { $0.after?.ssim }),
                "retainedNoise": number(mean { $0.retainedNoise }),
            ],
        ]
    }
}

extension PixelGrid {
    /// The samples of an image without alpha, 0…255; 16-bit ones keep their fractions.
    init(colours image: Image) {
        let count = image.hasAlpha ? image.channels - 1 : image.channels
        var values: [Double] = []
        values.reserveCapacity(image.pixelCount * count)
        func append<Sample: BinaryInteger>(_ samples: [Sample], unit: Double) {
            for (index, sample) in samples.enumerated() where index % image.channels < count {
                values.append(Double(sample) / unit)
            }
        }
        switch image.samples {
        case .eightBit(let samples): append(samples, unit: 1)
        case .sixteenBit(let samples): append(samples, unit: 257)
        }
        self.init(height: image.height, width: image.width, channels: count, values: values)
    }
}
