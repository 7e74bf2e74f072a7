import Checkpoints
import Tensors
import TestSupport
import Testing

@testable import Images

@Suite struct PixelTests {
    @Test func `grey and blending equal Pillow's`() throws {
        let file = try SafetensorsFile(path: Pillow.expected)
        let image = Image(
            width: 13, height: 9, channels: 4, samples: try file.tensor(named: "input.rgba").bytes.array)
        #expect(image.converted(to: .grey).bytes == (try file.tensor(named: "output.grey")).bytes.array)
        let blended = image.composited(over: [200, 90, 30])
        #expect(blended.bytes == (try file.tensor(named: "output.composited")).bytes.array)
    }

    @Test(arguments: [PixelRange.signed, .unit], [PixelRounding.adm, .nearestEven])
    func `every byte survives the way through a tensor`(range: PixelRange, rounding: PixelRounding) {
        let image = Image(width: 16, height: 16, channels: 1, samples: (0...255).map { UInt8($0) })
        let tensor = Tensor(image, range: range)
        #expect(tensor.shape == [16, 16, 1])
        #expect(Image(tensor, range: range, rounding: rounding) == image)
    }

    @Test func `sixteen bits survive too`() {
        let image = testImage(31, 17, 3, depth: 16)
        #expect(Image(Tensor(image), bitDepth: 16) == image)
    }

    @Test func `values become bytes as ADM writes them`() {
        let values: [Float] = [-2, -1, -0.999, 0, 0.0039, 0.004, 0.99, 1, 7, .nan, .infinity, -.infinity]
        let image = Image(Tensor(shape: [3, 4, 1], scalars: values))
        let expected = values.map {
            $0.isNaN ? 0 : UInt8(max(0, min(255, ($0 * 127.5 + 128).rounded(.towardZero))))
        }
        #expect(image.bytes == expected)
    }

    @Test func `a batch keeps its images in order`() {
        let images = (0..<3).map { n in
            testImage(5, 4, 3).rearranged(width: 5, height: 4) { (($0 + n) % 5, $1) }
        }
        let batch = Tensor(images)
        #expect(batch.shape == [3, 4, 5, 3])
        #expect(Image.batch(batch) == images)
    }

    @Test func `turns and flips undo themselves`() {
        let image = testImage(5, 4, 3)
        let inverse = [0, 1, 2, 3, 4, 7, 6, 5]
        for symmetry in 0..<8 {
            let turned = image.dihedral(symmetry)
            #expect(turned.dihedral(inverse[symmetry]) == image)
            #expect((turned.width, turned.height) == (symmetry < 4 ? (5, 4) : (4, 5)))
        }
        #expect(Set((0..<8).map { testImage(4, 4, 1).dihedral($0) }).count == 8)
        #expect(image.flippedHorizontally()[0, 2] == image[4, 2])
    }

    @Test func `random crops repeat by their number and reach every place`() {
        let image = testImage(5, 4, 1)
        let random = RandomStream(seed: 1)
        let crops = (0..<200).map { image.randomCropped(width: 3, height: 3, using: random, at: $0) }
        #expect(crops == (0..<200).map { image.randomCropped(width: 3, height: 3, using: random, at: $0) })
        #expect(Set(crops).count == 6)
    }

    @Test func `padding continues the picture by its rule`() {
        let row = Image(
            width: 4, height: 3, channels: 1, samples: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12] as [UInt8])
        func top(_ rule: Image.PaddingRule) -> [UInt8] { Array(row.padded(by: 2, rule).bytes[16..<24]) }
        #expect(top(.zero) == [0, 0, 1, 2, 3, 4, 0, 0])
        #expect(top(.edge) == [1, 1, 1, 2, 3, 4, 4, 4])
        #expect(top(.reflect) == [3, 2, 1, 2, 3, 4, 3, 2])
        #expect(row.padded(by: 1).cropped(x: 1, y: 1, width: 4, height: 3) == row)
    }

    @Test func `a grid frames every picture`() {
        let images = (1...5).map { Image(width: 3, height: 2, color: [UInt8($0)]) }
        let grid = Image.grid(images, columns: 3, padding: 1, background: 9)
        #expect((grid.width, grid.height) == (13, 7))
        #expect(
            grid[0, 0] == [9] && grid[1, 1] == [1] && grid[9, 2] == [3] && grid[5, 4] == [5]
                && grid[9, 4] == [9])
        #expect(Image.grid(Array(repeating: images[0], count: 9)).width == 3 * 5 + 2)
    }
}
