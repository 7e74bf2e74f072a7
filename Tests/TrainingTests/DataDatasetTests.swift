import Archives
import Images
import TestSupport
import Testing

@testable import Training

/// A temporary folder to put files in.
private struct DatasetFolder {
    let path: String

    func write(_ name: String, _ bytes: [UInt8]) throws {
        try makeFolder(splitPath(path + "/" + name).folder)
        try AtomicFile.write(bytes, to: path + "/" + name)
    }
}

/// A PNG of one grey.
private func png(_ grey: UInt8) throws -> [UInt8] {
    try Image(width: 3, height: 2, color: [grey, grey, grey]).pngBytes()
}

private func zip(_ names: [String], in folder: String) throws -> String {
    let path = folder + "/set.zip"
    let writer = try ZipWriter(path: path)
    for (n, name) in names.enumerated() { try writer.add(name, png(UInt8(n))) }
    try writer.finish()
    return path
}

@Suite struct DataDatasetTests {
    static let tree = [
        "dog/b.png", "dog/a.PNG", "Cat/z.jpg", "Cat/deep/er/y.jpeg", "ant/1.png", "ant/.hidden.png",
    ]

    @Test(arguments: ["", "set/", "outer/inner/"])
    func `classes are the folders in byte order, in a folder as in a zip`(prefix: String) throws {
        let names = Self.tree.map { prefix + $0 }
        try withTemporaryFolder { root in
            let folder = DatasetFolder(path: root)
            for (n, name) in names.enumerated() { try folder.write(name, png(UInt8(n))) }
            try folder.write(prefix + "dog/notes.txt", [1, 2, 3])
            let sets: [any ImageDataset] = [
                try FolderDataset(path: folder.path), try ZipDataset(path: zip(names, in: root)),
            ]
            for dataset in sets {
                #expect(dataset.classNames == ["Cat", "ant", "dog"])
                #expect((0..<dataset.count).map { dataset.label(at: $0) } == [0, 0, 1, 2, 2])
                let greys = try (0..<dataset.count).map { try dataset.image(at: $0).bytes[0] }
                #expect(greys == [3, 2, 4, 1, 0])
            }
        }
    }

    @Test func `images without folders have no classes`() throws {
        try withTemporaryFolder { root in
            let dataset = try ZipDataset(path: zip(["b.png", "a.png"], in: root))
            #expect(dataset.classNames.isEmpty && dataset.label(at: 0) == nil)
            #expect(try dataset.image(at: 0).bytes[0] == 1)
        }
    }

    @Test(arguments: [
        (["a/1.png", "2.png", "b/3.png"], "2.png lies beside the class folders (a, b)"),
        (["readme.txt"], "there is no PNG or JPEG image"),
        (["a/1.png", "b/2.png", "empty/readme.txt", "empty/"], "class folder empty holds no"),
    ])
    func `what cannot be a data set is refused with the reason`(names: [String], reason: String) {
        let error = #expect(throws: DatasetError.self) {
            _ = try ImageListing(
                source: "set", files: names.filter { !$0.hasSuffix("/") },
                folders: names.filter { $0.hasSuffix("/") }.map { String($0.dropLast()) })
        }
        #expect(error?.description.contains(reason) == true)
    }

    @Test func `truncated, empty and foreign files are told apart and skipped by the loader`() throws {
        try withTemporaryFolder { root in
            let folder = DatasetFolder(path: root)
            try folder.write("a/1.png", png(9))
            try folder.write("a/2.png", Array(png(9).dropLast(30)))
            try folder.write("a/3.jpg", Array("not an image at all".utf8))
            try folder.write("b/4.png", [])
            let dataset = try FolderDataset(path: folder.path)
            let kinds = (1..<4).map { index in
                #expect(throws: ImageError.self) { try dataset.image(at: index) }?.kind
            }
            #expect(kinds == [.truncated, .notAnImage, .truncated])
            let loader = try DataLoader(
                dataset, ImagePreparation(width: 3, height: 2),
                DataLoaderOptions(batchSize: 4, shuffle: false))
            #expect(try loader.next().indices == [0, 0, 0, 0])
            #expect(loader.skippedCount == 3)
        }
    }

    @Test func `binary CIFAR batches are read in order`() throws {
        try withTemporaryFolder { root in
            let folder = DatasetFolder(path: root)
            for batch in 1...2 {
                let records = (0..<3).map { record in
                    [UInt8(record)] + [UInt8](repeating: UInt8(10 * batch), count: 1024)
                        + [UInt8](repeating: 7, count: 1024) + [UInt8](repeating: 8, count: 1024)
                }
                try folder.write("data_batch_\(batch).bin", Array(records.joined()))
            }
            let dataset = try DatasetSpecification(path: folder.path).open()
            #expect(dataset.count == 6 && dataset.classNames.count == 10)
            #expect(dataset.label(at: 4) == 1)
            #expect(try dataset.image(at: 4)[5, 9] == [20, 7, 8])
            #expect(throws: DatasetError.self) { try CIFARDataset(path: folder.path, isTest: true) }
            try folder.write("data_batch_3.bin", [1, 2, 3])
            #expect(throws: DatasetError.self) { try CIFARDataset(path: folder.path) }
        }
    }

    @Test func `IDX images find their labels`() throws {
        try withTemporaryFolder { root in
            let folder = DatasetFolder(path: root)
            let pixels = (0..<2 * 2 * 3).map { UInt8($0) }
            let header: [UInt8] = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3]
            try folder.write("train-images-idx3-ubyte", header + pixels)
            try folder.write("train-labels-idx1-ubyte", [0, 0, 8, 1, 0, 0, 0, 2, 4, 1])
            let dataset = try DatasetSpecification(path: folder.path).open()
            #expect(dataset.count == 2 && dataset.classNames == ["0", "1", "2", "3", "4"])
            #expect(dataset.label(at: 1) == 1)
            let image = try dataset.image(at: 1)
            #expect((image.width, image.height, image.channels) == (3, 2, 1))
            #expect(image.bytes == [6, 7, 8, 9, 10, 11])
            try folder.write("train-images-idx3-ubyte", header + pixels.dropLast())
            #expect(throws: DatasetError.self) { try DatasetSpecification(path: folder.path).open() }
        }
    }

    @Test func `shapes repeat from the seed and differ between seeds`() throws {
        let (one, same, other) = (
            try ShapesDataset(count: 40, width: 33, height: 20, seed: 1),
            try ShapesDataset(count: 9, width: 33, height: 20, seed: 1), try ShapesDataset(count: 9, seed: 2)
        )
        #expect(one.classNames.count == 10 && one.label(at: 23) == 3)
        #expect(try one.image(at: 7) == same.image(at: 7))
        #expect(try one.image(at: 7).bytes != other.image(at: 7).bytes)
        #expect(try one.image(at: 7).width == 33)
    }

    @Test func `a specification tells what is missing`() {
        for specification in [
            DatasetSpecification(path: "/nowhere"), DatasetSpecification(kind: .zip),
            DatasetSpecification(kind: .folder, path: "/nowhere"),
            DatasetSpecification(kind: .shapes, count: 0),
        ] {
            let error = #expect(throws: DatasetError.self) { try specification.open() }
            #expect(error?.remedy.isEmpty == false)
        }
    }
}
