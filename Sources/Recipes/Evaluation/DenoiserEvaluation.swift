import Checkpoints
import Metrics

/// A denoiser scored as papers do: noise of known levels is added to clean images, and what is left of it measured.
///
/// The noise is the specified one (`CounterNoise`), the same on every machine: image i of a realisation S gets the seed
/// 1,000,000·S + i.
public struct DenoiserEvaluation {
    /// Scores at one level of noise.
    public struct Level: Sendable {
        /// On the 0–255 scale.
        public let sigma: Double
        public let report: DenoisingReport
    }

    public let plan: DenoisingPlan
    public let sigmas: [Double]
    public let realisation: Int
    private let recipe: DenoisingRecipe

    /// - Parameters:
    ///   - recipe: the model, and how it is used; its σ is not looked at.
    ///   - images: a folder of clean images, or one of them.
    ///   - limit: the first so many images, in the order of their names.
    /// - Throws: errors of the folder.
    public init(
        _ recipe: DenoisingRecipe, images: String, sigmas: [Double], realisation: Int = 1, limit: Int = .max
    ) throws {
        (self.recipe, self.sigmas, self.realisation) = (recipe, sigmas, realisation)
        var plan = try DenoisingPlan(inputs: [images], options: .init(out: nil))
        plan.limit(to: limit)
        self.plan = plan
    }

    /// Images that will be denoised, levels counted.
    public var imageCount: Int { plan.items.count * sigmas.count }

    /// - Parameters:
    ///   - progress: called after every image; false stops.
    ///   - onNote: what the user should know.
    /// - Throws: errors of the model, and `DenoisingError` for an image that cannot be scored.
    public func levels(progress: () -> Bool = { true }, onNote: (String) -> Void = { _ in }) throws -> [Level]
    {
        var levels: [Level] = []
        for sigma in sigmas {
            var run = DenoisingRun(plan, try ImageDenoiser(recipe, sigma: .level(sigma)))
            (run.addedSigma, run.realisation) = (sigma, realisation)
            var isStopped = false
            let report = run.run { event in
                switch event {
                case .note(let text, let item): onNote("\(item.input): \(text)")
                case .finished: isStopped = !progress()
                case .progress, .failed: break
                }
                return !isStopped
            }
            if let failure = report.failures.first { throw DenoisingError(failure.problem) }
            levels.append(Level(sigma: sigma, report: report))
            if isStopped { break }
        }
        return levels
    }
}

extension [DenoiserEvaluation.Level] {
    /// For people: every image at one level, or the means at several.
    public var text: String {
        guard count > 1 else { return first?.report.text ?? "" }
        var table = TextTable(["σ", "noisy dB", "PSNR dB", "SSIM", "noise left", "images"])
        for level in self {
            func fixed(_ value: Double?) -> String { value.map { TextTable.fixed($0, digits: 4) } ?? "" }
            let mean = level.report.means
            table.add([
                TextTable.fixed(level.sigma, digits: 0), fixed(mean.noisyPSNR), fixed(mean.psnr),
                fixed(mean.ssim),
                DenoisingReport.percent(mean.retainedNoise), "\(level.report.entries.count)",
            ])
        }
        return table.text
    }

    /// For programs, with every image.
    public var json: JSONValue {
        [
            "levels": .array(
                map { level in
                    var members = level.report.json.object ?? [:]
                    members["sigma"] = .number(level.sigma)
                    return .object(members)
                })
        ]
    }
}
