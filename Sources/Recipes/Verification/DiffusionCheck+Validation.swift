import Checkpoints

/// What must hold of a case's shapes before it can be rebuilt. A file that breaks one of these is reported, where
/// the arithmetic would stop the program.
extension DiffusionCheck {
    func require(_ condition: Bool, _ problem: @autoclosure () -> String) throws {
        guard condition else { throw CheckpointFileError(file: fixture.path, problem: problem()) }
    }

    /// Inputs of exactly this shape.
    func requireShape(_ names: [String], _ shape: [Int]) throws {
        for name in names {
            let found = try fixture.input(name).shape
            try require(found == shape, "input.\(name) is \(found), the case needs \(shape)")
        }
    }

    /// A sampling run: its state `[N, C, H, W]`, the noise of each step, labels, and the mixture that answers.
    /// - Parameter isDoubled: the noise of each step may be that of a doubled batch.
    func requireSampling(state name: String, isDoubled: Bool = false) throws {
        let shape = try fixture.input(name).shape
        try require(shape.count == 4 && !shape.contains(0), "input.\(name) is \(shape), not [N, C, H, W]")
        if has("y") { try requireShape(["y"], [shape[0]]) }
        if has("step_noise") {
            let found = try fixture.input("step_noise").shape
            try require(
                found.count == 5 && (found[1] == shape[0] || (isDoubled && found[1] == 2 * shape[0]))
                    && Array(found.dropFirst(2)) == Array(shape.dropFirst()),
                "input.step_noise is \(found), the state \(shape)")
        }
        for (means, deviations) in [("gmm_mu", "gmm_std"), ("guide_mu", "guide_std")] where has(means) {
            let count = try fixture.input(means).shape.first ?? 0
            try requireShape([means], [count] + shape.dropFirst())
            try requireShape([deviations, "gmm_logw", "gmm_class"], [count])
            try require(count > 0, "the mixture has no component")
        }
        if has("y"), has("gmm_class") {
            let classes = Set(try fixture.input("gmm_class").integers)
            let labels = try fixture.input("y").integers
            try require(
                labels.allSatisfy(classes.contains),
                "labels \(labels) have no component among \(classes.sorted())")
        }
        if let count = config["num_steps"]?.integer {
            try require((2...100_000).contains(count), "num_steps is \(count)")
        }
    }

    /// Steps of a process of `count`.
    func requireSteps(_ name: String, below count: Int) throws {
        let steps = try fixture.input(name).integers
        try require(
            steps.allSatisfy { (0..<count).contains($0) }, "input.\(name) has a step outside 0..<\(count)")
    }
}
