import Archives
import Recipes
import TestSupport
import Testing

@Suite struct BenchmarkComparisonTests {
    @Test func `an earlier run stands beside the cases that both have`() throws {
        try withTemporaryFolder { folder in
            var old = BenchmarkResults(threads: 2)
            old.rows = [row("model", 20), row("gone", 1)]
            let path = joinPath(folder, "old.json")
            try AtomicFile.write(old.json.text, to: path)
            var new = BenchmarkResults(threads: 2)
            new.rows = [row("model", 5), row("new", 1)]
            let text = try BenchmarkComparison(path: path).text(new)
            #expect(text.contains("4.00") && !text.contains("gone") && !text.contains("new "))
        }
    }

    @Test(arguments: ["", "{}", "{\"cases\": [{\"name\": \"model\"}]}", "not JSON"])
    func `a file that is no result is refused by name`(contents: String) throws {
        try withTemporaryFolder { folder in
            let path = joinPath(folder, "old.json")
            try AtomicFile.write(contents, to: path)
            #expect(throws: BenchmarkError("\(path): is no result of sfumato bench --json")) {
                try BenchmarkComparison(path: path)
            }
        }
    }

    private func row(_ name: String, _ milliseconds: Double) -> BenchmarkResults.Row {
        BenchmarkResults.Row(
            name: name, milliseconds: milliseconds, imagesPerSecond: 1, gigaflops: 10, peak: 100, megabytes: 1
        )
    }
}
