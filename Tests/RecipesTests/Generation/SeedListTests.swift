import Recipes
import Testing

@Suite struct SeedListTests {
    @Test(
        arguments: [
            ("7", [7]), ("0-3", [0, 1, 2, 3]), ("1,5,9-11", [1, 5, 9, 10, 11]), ("5,2", [5, 2]),
            ("18446744073709551615", [.max]),
        ] as [(String, [UInt64])])
    func `seeds are read as written, in their order`(_ text: String, _ seeds: [UInt64]) throws {
        let list = try SeedList(parsing: text)
        #expect(list.seeds == seeds)
        #expect(list.description == text)
    }

    @Test(arguments: ["", "-", "1-", "-1", "a", "1,", "1--2", "1-2-3", "3-1", "1,1", "0-99999999", "1.5"])
    func `what is no list of seeds is refused with the part that is wrong`(_ text: String) {
        #expect(throws: GenerationError.self) { try SeedList(parsing: text) }
    }

    @Test func `a count gives consecutive seeds, never past the largest`() throws {
        #expect(try SeedList(count: 3, from: 8).seeds == [8, 9, 10])
        #expect(try SeedList(count: 1, from: .max).seeds == [.max])
        #expect(throws: GenerationError.self) { try SeedList(count: 2, from: .max) }
        #expect(throws: GenerationError.self) { try SeedList(count: 0, from: 0) }
    }
}
