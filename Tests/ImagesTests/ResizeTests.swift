import Checkpoints
import Tensors
import TestSupport
import Testing

@testable import Images

@Suite struct ResizeTests {
    static let cases = ParityCase.all("metrics", prefix: "resize_").filter {
        !$0.description.contains("fid299")
    }

    /// One plane of a stored `[C, H, W]` tensor.
    static func plane<Value>(_ values: [Value], _ shape: [Int], _ channel: Int) -> [Value] {
        Array(values[channel * shape[1] * shape[2]..<(channel + 1) * shape[1] * shape[2]])
    }

    @Test(.enabled(if: !cases.isEmpty, "SFUMATO_FIXTURES has no metrics/resize_*"), arguments: cases)
    func `bytes equal Pillow's`(reference: ParityCase) throws {
        let fixture = try reference.fixture()
        let input = try fixture.input("image")
        for output in fixture.outputs
        where output.name.hasPrefix("pil_u8.") || output.name.hasPrefix("pil13_u8.") {
            let filter = try #require(ResizeFilter(rawValue: String(output.name.split(separator: ".")[1])))
            let order: ResizeOrder = output.name.hasPrefix("pil13") ? .pillow13 : .horizontalFirst
            for channel in 0..<input.shape[0] {
                let image = Image(
                    width: input.shape[2], height: input.shape[1], channels: 1,
                    samples: Self.plane(input.bytes.array, input.shape, channel))
                let resized = image.resized(
                    width: output.shape[2], height: output.shape[1], filter: filter, order: order)
                #expect(
                    resized.bytes == Self.plane(output.bytes.array, output.shape, channel),
                    "\(output.name) \(channel)")
            }
        }
    }

    @Test(.enabled(if: !cases.isEmpty, "SFUMATO_FIXTURES has no metrics/resize_*"), arguments: cases)
    func `floats equal Pillow's to 2e-5`(reference: ParityCase) throws {
        let fixture = try reference.fixture()
        let input = try fixture.input("image")
        let tensor = Tensor(shape: Shape(input.shape), scalars: input.floats)
        for output in fixture.outputs
        where output.name.hasPrefix("pil_f32.") || output.name.hasPrefix("pil13_f32.") {
            let filter = try #require(ResizeFilter(rawValue: String(output.name.split(separator: ".")[1])))
            let order: ResizeOrder = output.name.hasPrefix("pil13") ? .pillow13 : .horizontalFirst
            for channel in 0..<input.shape[0] {
                let plane = Tensor(
                    shape: [input.shape[1], input.shape[2], 1],
                    scalars: Self.plane(tensor.scalars, input.shape, channel))
                let resized = plane.resampled(
                    height: output.shape[1], width: output.shape[2], filter: filter, order: order)
                let expected = Self.plane(output.floats, output.shape, channel)
                let worst = zip(resized.scalars, expected).map { abs($0 - $1) }.max() ?? 0
                #expect(worst <= 2e-5, "\(output.name) \(channel)")
            }
        }
    }

    /// The names of the frameworks' functions in the reference files.
    static let interpolations: [String: Interpolation] = [
        "tf1.bilinear": .tensorFlow1, "torch.bilinear": .bilinear, "torch.bilinear_ac": .bilinearAligned,
        "torch.bicubic": .bicubic, "torch.area": .area, "torch.nearest": .nearest,
        "torch.bilinear_aa": .bilinearAntialiased, "torch.bicubic_aa": .bicubicAntialiased,
    ]

    @Test(.enabled(if: !cases.isEmpty, "SFUMATO_FIXTURES has no metrics/resize_*"), arguments: cases)
    func `interpolations equal the frameworks' to 2e-4`(reference: ParityCase) throws {
        let fixture = try reference.fixture()
        let input = try fixture.input("image")
        for output in fixture.outputs where output.name.hasPrefix("tf1.") || output.name.hasPrefix("torch.") {
            let (height, width) = (output.shape[1], output.shape[2])
            for channel in 0..<input.shape[0] {
                let plane = Tensor(
                    shape: [input.shape[1], input.shape[2], 1],
                    scalars: Self.plane(input.floats, input.shape, channel))
                let rule = try #require(Self.interpolations[output.name])
                let resized = plane.interpolated(height: height, width: width, rule)
                let expected = Self.plane(output.floats, output.shape, channel)
                let worst = zip(resized.scalars, expected).map { abs($0 - $1) }.max() ?? 0
                #expect(worst <= 2e-4, "\(output.name) \(channel)")
            }
        }
    }

    static let scoring = ParityCase.all("metrics", prefix: "resize_fid299")

    @Test(
        .enabled(if: !scoring.isEmpty, "SFUMATO_FIXTURES has no metrics/resize_fid299*"), arguments: scoring)
    func `the scoring networks' inputs equal the reference's`(reference: ParityCase) throws {
        let fixture = try reference.fixture()
        let input = try fixture.input("image")
        let plane = Tensor(
            shape: [input.shape[1], input.shape[2], 1], scalars: Self.plane(input.floats, input.shape, 0))
        let clean = plane.resampled(height: 299, width: 299, filter: .bicubic).scalars.map {
            min(max($0, 0), 255)
        }
        let legacy = plane.interpolated(height: 299, width: 299, .tensorFlow1).scalars
        for (name, values) in [("clean_299", clean), ("tf1_299", legacy)] {
            let expected = try fixture.output(name).floats
            #expect(zip(values, expected).allSatisfy { abs($0 - $1) <= 2e-4 }, "\(name)")
        }
    }

    @Test func `channels are resized together as they are apart`() {
        let image = testImage(13, 9, 3)
        for filter in ResizeFilter.allCases {
            let together = image.resized(width: 8, height: 17, filter: filter)
            for channel in 0..<3 {
                let plane = Image(
                    width: 13, height: 9, channels: 1,
                    samples: (0..<117).map { image.bytes[$0 * 3 + channel] })
                let apart = plane.resized(width: 8, height: 17, filter: filter)
                #expect((0..<136).map { together.bytes[$0 * 3 + channel] } == apart.bytes)
            }
        }
    }

    @Test func `transparent pictures and deep ones equal Pillow's`() throws {
        let file = try SafetensorsFile(path: Pillow.expected)
        for (key, channels) in [("rgba", 4), ("la", 2)] {
            let image = Image(
                width: 13, height: 9, channels: channels,
                samples: try file.tensor(named: "input." + key).bytes.array)
            for output in file.tensors(withPrefix: "output.\(key).") {
                let filter = try #require(
                    ResizeFilter(rawValue: String(output.name.split(separator: ".")[0])))
                let resized = image.resized(width: output.shape[1], height: output.shape[0], filter: filter)
                #expect(resized.bytes == output.bytes.array, "\(key) \(output.name)")
            }
        }
        let deep = try file.tensor(named: "input.grey16").integers.map { UInt16($0) }
        let image = Image(width: 13, height: 9, channels: 1, samples: deep)
        for output in file.tensors(withPrefix: "output.grey16.") {
            let filter = try #require(ResizeFilter(rawValue: String(output.name.split(separator: ".")[0])))
            let expected = output.integers.map { UInt16($0) }
            #expect(image.resized(width: 7, height: 8, filter: filter).samples == .sixteenBit(expected))
        }
    }

    @Test(arguments: [8, 9, 16, 30, 37, 50])
    func `the centre crop equals ADM's`(size: Int) throws {
        let file = try SafetensorsFile(path: Pillow.expected)
        let large = Image(
            width: 61, height: 37, channels: 3, samples: try file.tensor(named: "input.large").bytes.array)
        let expected = try file.tensor(named: "output.adm.\(size)")
        #expect(large.admCenterCropped(width: size, height: size).bytes == expected.bytes.array)
    }
}
