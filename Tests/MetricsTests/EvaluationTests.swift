import Checkpoints
import Images
import TestSupport
import Tensors
import Testing

@testable import Metrics

@Suite struct FeatNetTests {
    @Test func `a feature depends on its image alone`() throws {
        let network = try shippedNetwork()
        let images = randomImages(70).map(PixelGrid.init(rgb:))
        let together = network.features(of: images)
        for index in [0, 37, 69] {
            #expect(network.features(of: [images[index]]).values == Array(together.row(index)))
        }
    }

    @Test func `weights of another network are refused by name`() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/other.safetensors"
            try SafetensorsFile.write(
                [StoredTensor(name: "cs.0.weight", shape: [2, 2], floats: [1, 2, 3, 4])], to: path)
            let error = #expect(throws: CheckpointFileError.self) { try FeatNet(path: path) }
            #expect(error?.description.contains("cs.0.weight") == true)
        }
    }
}

@Suite struct EvaluationTests {
    private func measures(_ name: String, _ images: [Image], batch: Int = 16) throws -> SampleSetMeasures {
        var measurer = SampleSetMeasurer(name: name, network: try shippedNetwork())
        for start in stride(from: 0, to: images.count, by: batch) {
            try measurer.add(Array(images[start..<min(start + batch, images.count)]))
        }
        return try measurer.finish()
    }

    @Test func `every metric of the report is there, beside the held-out value`() throws {
        let report = try EvaluationReport(
            samples: measures("samples", randomImages(40, seed: 3)),
            reference: measures("reference", randomImages(90, seed: 1)),
            heldOut: measures("held out", randomImages(40, seed: 2)))
        #expect(
            report.rows.map(\.metric) == [
                "fd-feat", "fd-wm", "kid-feat", "precision", "recall", "density", "coverage", "lsd",
                "spectral-fd",
                "nn-ratio",
            ])
        #expect(report.rows.allSatisfy { $0.value.isFinite && $0.heldOut?.isFinite == true })
        #expect(report.bands.map(\.frequencies) == [1...1, 2...3, 4...7, 8...15, 16...23])
        #expect(report.text.contains("samples 40, reference 90, held out 40"))
        #expect(try JSONValue(parsing: report.json.text)["metrics"]?.array?.count == 10)
    }

    @Test func `a report does not depend on batches or threads`() throws {
        let (samples, reference) = (randomImages(70, seed: 5), randomImages(80, seed: 6))
        let threads = ComputeThreads.count
        defer { ComputeThreads.setCount(threads) }
        let reports = try [(1, 1), (70, 2), (13, 2)].map { batch, threads in
            ComputeThreads.setCount(threads)
            return try EvaluationReport(
                samples: measures("samples", samples, batch: batch),
                reference: measures("reference", reference, batch: batch)
            ).json.text
        }
        #expect(Set(reports).count == 1)
    }

    @Test func `a set against itself scores as perfect`() throws {
        let set = try measures("set", randomImages(50))
        let report = try EvaluationReport(samples: set, reference: set)
        #expect(abs(report["fd-feat"]?.value ?? 1) < 1e-9)
        #expect(abs(report["fd-wm"]?.value ?? 1) < 1e-6)
        #expect(report["lsd"]?.value == 0)
        #expect(report["precision"]?.value == 1)
        #expect(report["nn-ratio"]?.value == 0)
    }

    @Test func `mixed sizes and duplicates are reported and do not stop the rest`() throws {
        let images = randomImages(10) + randomImages(10, width: 40, height: 24, channels: 1, seed: 2)
        let mixed = try measures("samples", images + images.prefix(3))
        #expect(mixed.spectra == nil && mixed.duplicateCount == 3)
        let report = try EvaluationReport(samples: mixed, reference: measures("reference", randomImages(30)))
        #expect(report["lsd"] == nil && report["fd-wm"] != nil)
        #expect(report.warnings.contains("samples: 3 of 23 images are exact duplicates."))
        #expect(report.warnings.contains("samples: images of different sizes, so no spectra were compared."))
    }

    @Test func `one image or none is an error`() throws {
        for count in [0, 1] {
            let error = #expect(throws: MetricError.self) { try measures("samples", randomImages(count)) }
            #expect(error?.description == "samples: \(count) image(s), a comparison needs at least 2.")
        }
    }

    @Test func `without weights the learned metrics are left out`() throws {
        func plain(_ seed: UInt64) throws -> SampleSetMeasures {
            var measurer = SampleSetMeasurer(name: "set", network: nil)
            try measurer.add(randomImages(12, seed: seed))
            return try measurer.finish()
        }
        let report = try EvaluationReport(samples: plain(1), reference: plain(2))
        #expect(report.rows.map(\.metric) == ["fd-wm", "lsd", "spectral-fd"])
    }

    @Test func `a held-out split shares nothing and repeats`() {
        let split = HeldOutSplit(count: 100, heldOutCount: 30)
        #expect(Set(split.reference).isDisjoint(with: split.heldOut))
        #expect(split.heldOut.count == 30 && split.reference.count == 70)
        #expect(split.heldOut == HeldOutSplit(count: 100, heldOutCount: 30).heldOut)
        #expect(HeldOutSplit(count: 10, heldOutCount: 30).heldOut.count == 5)
    }
}
