import Foundation
import Recipes
import TestSupport
import Testing

@Suite struct LossPlotTests {
    @Test func `a resumed run's curve counts each step once, and lines cut short not at all`() throws {
        try withTemporaryFolder { folder in
            let log = """
                {"loss": 4.0, "step": 10}
                {"loss": 3.0, "step": 20}
                {"loss": 2.5, "step": 20}
                {"loss": 2.0, "ste
                {"loss": 2.0, "step": 30}
                """
            try log.write(toFile: folder + "/log.jsonl", atomically: true, encoding: .utf8)
            let plot = try LossPlot(runFolder: folder)
            #expect(plot.steps == [10, 20, 30])
            #expect(plot.losses == [4, 2.5, 2])
            let image = plot.image(title: "run")
            #expect(image.width > 0 && image.height > 0)
        }
    }

    @Test func `a run without a loss yet is an error that says so`() throws {
        try withTemporaryFolder { folder in
            try "".write(toFile: folder + "/log.jsonl", atomically: true, encoding: .utf8)
            #expect(throws: TrainingError.self) { try LossPlot(runFolder: folder) }
        }
    }
}
