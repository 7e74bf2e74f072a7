import Recipes
import Training
import Testing

@Suite struct HoldoutTests {
    @Test(arguments: [1, 7, 30]) func `every image is on one side, and none on both`(_ holdout: Int) throws {
        let data = try ShapesDataset(count: 60, width: 8, height: 8)
        let (training, kept) = try HoldoutDataset.split(data, holdout: holdout)
        let heldOut = try #require(kept)
        #expect(training.count == 60 - holdout)
        #expect(heldOut.count == holdout)
        let names = Set((0..<training.count).map(training.name)).union((0..<heldOut.count).map(heldOut.name))
        #expect(names.count == 60)
        for index in 0..<heldOut.count { #expect(heldOut.label(at: index) != nil) }
    }

    @Test func `nothing held out leaves the data as it is`() throws {
        let data = try ShapesDataset(count: 5, width: 8, height: 8)
        let (training, heldOut) = try HoldoutDataset.split(data, holdout: 0)
        #expect(training.count == 5)
        #expect(heldOut == nil)
        #expect(throws: DatasetError.self) { try HoldoutDataset.split(data, holdout: 3) }
    }
}
