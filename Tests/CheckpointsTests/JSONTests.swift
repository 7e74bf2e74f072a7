import Checkpoints
import Testing

@Suite struct JSONTests {
    @Test(
        arguments: [
            ("null", nil), ("true", true), (" -12 ", -12), ("1.5e3", 1500.0), ("3.0", 3.0), ("[]", []),
            ("{}", [:]),
            (#"{"a":[1,{"b":"c"}],"d":null}"#, ["a": [1, ["b": "c"]], "d": nil]),
            (#""\"\\\/\n\u00e9\ud83d\ude00ü""#, "\"\\/\né😀ü"), ("-Infinity", .number(-.infinity)),
            ("123456789012345678901234", 1.2345678901234568e23),
        ] as [(String, JSONValue)])
    func `values read and write alike`(_ text: String, _ value: JSONValue) throws {
        #expect(try JSONValue(parsing: text) == value)
        #expect(try JSONValue(parsing: value.text) == value)
    }

    @Test func `text is compact and sorted`() {
        let value: JSONValue = ["b": [1, 2.5, .number(.nan)], "a": "x\u{1}"]
        #expect(value.text == #"{"a":"x\u0001","b":[1,2.5,NaN]}"#)
    }

    @Test(arguments: [
        "", "{", "[1", "[1,]", "{\"a\"}", "{\"a\":1,}", "{a:1}", "nul", "01x", "--1", "0x10", "1 2", "\"a",
        "\"\\q\"",
        "\"\\ud800\"", "\"\u{1}\"", "{\"a\":1,\"a\":2}", "inf", "nan", "+1", ".5", "\"\\u12g4\"",
        "\"\\u+123\"",
    ])
    func `faults are refused`(_ text: String) {
        #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
    }

    @Test func `nesting is bounded`() {
        #expect(throws: JSONError.self) { try JSONValue(parsing: String(repeating: "[", count: 1_000_000)) }
    }

    @Test func `a whole number written with a fraction is a whole number`() throws {
        let value = try JSONValue(parsing: #"{"a":[1,2.0],"b":2.5}"#)
        #expect(value["a"]?.integers == [1, 2])
        #expect(value["b"]?.integer == nil && value["b"]?.number == 2.5 && value["c"] == nil)
    }
}
