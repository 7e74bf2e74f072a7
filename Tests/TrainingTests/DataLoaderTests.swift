import Archives
import Foundation
import Images
import Tensors
import TestSupport
import Testing

@testable import Training

/// Sixteen-pixel images whose grey tells their place in the set; some refuse to decode.
struct NumberedImages: ImageDataset {
    let count: Int
    var bad: Set<Int> = []
    var size = (width: 4, height: 3)
    let source = "numbered"
    let classNames = ["even", "odd"]

    func label(at index: Int) -> Int? { index % 2 }
    func name(at index: Int) -> String { "numbered/\(index).png" }
    func image(at index: Int) throws -> Image {
        if bad.contains(index) {
            throw ImageError(.damaged, name(at: index), "it is broken", remedy: "replace it")
        }
        let samples = (0..<size.width * size.height).flatMap { pixel in
            [UInt8(index), UInt8(pixel), UInt8(pixel % size.width)]
        }
        return Image(width: size.width, height: size.height, channels: 3, samples: samples)
    }
}

@Suite struct DataLoaderTests {
    static let plain = ImagePreparation(width: 4, height: 3)
    static let varied = ImagePreparation(width: 4, height: 3, horizontalFlip: true, shift: 1)

    @Test func `every image is seen once per epoch, in another order each time`() throws {
        let loader = try DataLoader(
            NumberedImages(count: 21), Self.plain, DataLoaderOptions(batchSize: 6, seed: 3))
        let seen = try (0..<7).flatMap { _ in try loader.next().indices }
        #expect(seen[..<21].sorted() == Array(0..<21))
        #expect(seen[21...].sorted() == Array(0..<21))
        #expect(seen[..<21] != seen[21...])
        #expect(loader.position.epoch(imageCount: 21) == (2, 0))
    }

    @Test(arguments: [(1, 1), (2, 4), (5, 2)])
    func `batches do not depend on threads, cache or queue length`(threads: Int, prefetch: Int) throws {
        var options = DataLoaderOptions(batchSize: 5, seed: 11, threads: 1, prefetch: 1)
        let reference = try DataLoader(NumberedImages(count: 13), Self.varied, options)
        (options.threads, options.prefetch, options.cacheBytes) = (threads, prefetch, 0)
        let loader = try DataLoader(NumberedImages(count: 13), Self.varied, options)
        for _ in 0..<9 {
            let (expected, found) = (try reference.next(), try loader.next())
            #expect(expected.images.scalars == found.images.scalars)
            #expect(expected.labels == found.labels)
        }
    }

    @Test func `a position saved and restored continues with the same bytes`() throws {
        let options = DataLoaderOptions(batchSize: 4, seed: 5)
        let loader = try DataLoader(NumberedImages(count: 10), Self.varied, options)
        for _ in 0..<6 { _ = try loader.next() }
        let saved = try JSONEncoder().encode(loader.position)
        let expected = try (0..<4).map { _ in try loader.next().images.scalars }

        let position = try JSONDecoder().decode(DataPosition.self, from: saved)
        let resumed = try DataLoader(NumberedImages(count: 10), Self.varied, options, position: position)
        #expect(try (0..<4).map { _ in try resumed.next().images.scalars } == expected)
        loader.position = position
        #expect(try loader.next().images.scalars == expected[0])
    }

    @Test func `another seed gives another order`() throws {
        let orders = try [1, 2].map { seed in
            try DataLoader(
                NumberedImages(count: 30), Self.plain, DataLoaderOptions(batchSize: 30, seed: seed)
            ).next()
                .indices
        }
        #expect(orders[0] != orders[1])
    }

    @Test func `an unreadable image is reported once and replaced by the next good one`() throws {
        let dataset = NumberedImages(count: 8, bad: [2, 3])
        let reports = Reports()
        let loader = try DataLoader(dataset, Self.plain, DataLoaderOptions(batchSize: 8, shuffle: false)) {
            reports.add($0)
        }
        for _ in 0..<3 {
            let batch = try loader.next()
            #expect(batch.indices == [0, 1, 4, 4, 4, 5, 6, 7])
            #expect(batch.labels == [0, 1, 0, 0, 0, 1, 0, 1])
        }
        #expect(loader.skippedCount == 2)
        loader.stop()
        #expect(reports.all.map(\.name).sorted() == ["numbered/2.png", "numbered/3.png"])
    }

    @Test func `an unreadable image stops the run when that is asked for`() throws {
        let options = DataLoaderOptions(batchSize: 4, shuffle: false, onBadImage: .error)
        let loader = try DataLoader(NumberedImages(count: 8, bad: [5]), Self.plain, options)
        _ = try loader.next()
        let error = #expect(throws: ImageError.self) { try loader.next() }
        #expect(error?.name == "numbered/5.png")
        #expect(throws: ImageError.self) { try loader.next() }
        #expect(loader.position.samples == 4)
    }

    @Test func `a set without a single readable image is an error`() throws {
        let loader = try DataLoader(
            NumberedImages(count: 3, bad: [0, 1, 2]), Self.plain, DataLoaderOptions(batchSize: 2))
        #expect(throws: DatasetError.self) { try loader.next() }
    }

    @Test func `values span minus one to one and flips mirror`() throws {
        let preparation = ImagePreparation(width: 4, height: 3, horizontalFlip: true)
        let loader = try DataLoader(
            NumberedImages(count: 1), preparation, DataLoaderOptions(batchSize: 64, shuffle: false))
        let batch = try loader.next()
        #expect(batch.images.shape == [64, 3, 4, 3])
        let rows = batch.images.scalars.enumerated().filter { $0.offset % 36 < 12 && $0.offset % 3 == 2 }
        let columns = stride(from: 0, to: rows.count, by: 4).map { start in
            rows[start..<start + 4].map { Int((($0.element + 1) * 127.5).rounded()) }
        }
        #expect(Set(columns) == [[0, 1, 2, 3], [3, 2, 1, 0]])
    }

    @Test(arguments: ImagePreparation.Fit.allCases)
    func `images of another size are brought to the target`(fit: ImagePreparation.Fit) throws {
        let preparation = ImagePreparation(width: 5, height: 6, channels: 1, fit: fit)
        let dataset = NumberedImages(count: 3, size: (width: 9, height: 4))
        let batch = try DataLoader(dataset, preparation, DataLoaderOptions(batchSize: 3)).next()
        #expect(batch.images.shape == [3, 6, 5, 1])
    }

    @Test func `settings that make no sense are refused`() {
        func open(_ preparation: ImagePreparation, batch: Int = 1) throws {
            _ = try DataLoader(NumberedImages(count: 3), preparation, DataLoaderOptions(batchSize: batch))
        }
        #expect(throws: DatasetError.self) { try open(Self.plain, batch: 0) }
        #expect(throws: DatasetError.self) { try open(ImagePreparation(width: 0, height: 3)) }
        #expect(throws: DatasetError.self) { try open(ImagePreparation(width: 4, height: 3, channels: 2)) }
        #expect(throws: DatasetError.self) { try open(ImagePreparation(width: 4, height: 3, dihedral: true)) }
        #expect(throws: DatasetError.self) { try open(ImagePreparation(width: 4, height: 3, shift: 3)) }
    }
}

/// Collects reports from loading threads.
final class Reports: @unchecked Sendable {
    private let lock = NSLock()
    private var list: [SkippedImage] = []
    var all: [SkippedImage] { lock.withLock { list } }
    func add(_ report: SkippedImage) { lock.withLock { list.append(report) } }
}

@Suite struct DataRealTests {
    static let zip = TestData.data.map { joinPath($0, "cifar10/train.zip") } ?? ""

    @Test(.enabled(if: fileExists(zip), "there is no cifar10/train.zip in SFUMATO_DATA"))
    func `a zip of class folders gives every image with its class`() throws {
        let dataset = try ZipDataset(path: Self.zip)
        #expect(dataset.count == 50_000)
        #expect(
            dataset.classNames == [
                "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
            ])
        #expect(dataset.label(at: 0) == 0 && dataset.label(at: 49_999) == 9)
        let loader = try DataLoader(
            dataset, ImagePreparation(width: 32, height: 32),
            DataLoaderOptions(batchSize: 250, onBadImage: .error))
        var histogram = [Int](repeating: 0, count: 10)
        // The first epoch decodes, the second is read from memory; each shows every image once.
        for epoch in 1...2 {
            for _ in 0..<200 { for label in try loader.next().labels { histogram[label ?? 0] += 1 } }
            #expect(histogram == [Int](repeating: epoch * 5_000, count: 10))
        }
    }
}
