import Archives
import Checkpoints
import Training

/// The loop of every training: steps, log lines, saved states, and what is done between them.
struct TrainingLoop {
    let trainer: Trainer
    let folder: RunFolder
    /// Updates of the whole run.
    let steps: Int
    let checkpoints: CheckpointSettings
    let log: LogSettings
    let makeState: () -> TrainingState
    let onEvent: (TrainingRun.Event) -> Void

    /// Steps until the end, or until `shouldStop` says so after a step; the state is saved either way.
    /// - Parameters:
    ///   - evaluate: given the step, from 1, and the number of the batch within it.
    ///   - afterStep: samples or scores, given the step and whether it is the last; true when there were any, whose time
    ///     is then left out of the rate.
    /// - Throws: `NonFiniteError`, after saving the state before the step that failed; errors of files.
    func run(
        until shouldStop: () -> Bool, evaluate: (Int, Int) throws -> (BatchEvaluation, imageCount: Int),
        afterStep: (Int, Bool, TrainingLog) throws -> Bool
    ) throws -> TrainingRun.Outcome {
        let clock = ContinuousClock()
        let file = try TrainingLog(folder, writesEvents: log.tensorBoard)
        var window = LogWindow(start: clock.now)
        while trainer.stepCount < steps {
            if shouldStop() {
                try save()
                return .interrupted
            }
            let report = try step(evaluate)
            onEvent(.step(report))
            window.add(report)
            let isLast = report.step == steps
            if report.step % log.every == 0 || isLast {
                let record = window.close(at: clock.now)
                try file.append(record, step: report.step)
                onEvent(
                    .logged(step: report.step, loss: record.loss, imagesPerSecond: record.imagesPerSecond))
            }
            if report.step % checkpoints.every == 0 || isLast { try save() }
            if try afterStep(report.step, isLast, file) { window.skip(to: clock.now) }
        }
        return .finished
    }

    private func step(_ evaluate: (Int, Int) throws -> (BatchEvaluation, imageCount: Int)) throws
        -> StepReport
    {
        let number = trainer.stepCount + 1
        do { return try trainer.step { part in try evaluate(number, part) } } catch let error
            as NonFiniteError
        {
            try save()
            throw error
        }
    }

    private func save() throws {
        let path = folder.statePath(step: trainer.stepCount)
        guard trainer.stepCount > 0, !fileExists(path) else { return }
        try folder.save(
            makeState(), retention: Retention(last: checkpoints.keep, every: checkpoints.keepEvery))
        onEvent(.saved(path: path))
    }
}
