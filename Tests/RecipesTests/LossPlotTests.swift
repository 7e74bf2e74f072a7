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
            let both = plot.image(title: "run", beside: [(name: "other", plot: plot)])
            #expect(both.width == image.width && both != image)
        }
    }

    @Test func `the PSNR has a curve for each level, and the later of two scores of a step wins`() throws {
        try withTemporaryFolder { folder in
            let log = """
                {"loss": -20.0, "step": 10}
                {"step": 10, "validation": {"psnr@15": 30.0, "psnr@5": 35.0}}
                {"step": 20, "validation": {"psnr@15": 29.0}}
                {"step": 20, "validation": {"psnr@15": 31.0}}
                """
            try log.write(toFile: folder + "/log.jsonl", atomically: true, encoding: .utf8)
            let plot = try PSNRPlot(runFolder: folder)
            #expect(plot.curves.map(\.name) == ["psnr@5", "psnr@15"])
            #expect(plot.curves[1].steps == [10, 20] && plot.curves[1].values == [30, 31])
            #expect(plot.image(title: "run").width > 0)
            // Losses in decibels are negative, and drawn all the same.
            #expect(try LossPlot(runFolder: folder).image(title: "run").width > 0)
        }
    }

    @Test func `a run that scored nothing has no PSNR to draw`() throws {
        try withTemporaryFolder { folder in
            try "{\"loss\": 1, \"step\": 10}\n".write(
                toFile: folder + "/log.jsonl", atomically: true, encoding: .utf8)
            #expect(throws: TrainingError.self) { try PSNRPlot(runFolder: folder) }
        }
    }

    @Test func `a run without a loss yet is an error that says so`() throws {
        try withTemporaryFolder { folder in
            try "".write(toFile: folder + "/log.jsonl", atomically: true, encoding: .utf8)
            #expect(throws: TrainingError.self) { try LossPlot(runFolder: folder) }
        }
    }
}
