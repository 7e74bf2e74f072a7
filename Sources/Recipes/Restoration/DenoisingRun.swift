import Archives
import Checkpoints
import Denoising
import Images
import Metrics

/// Denoises the files of a plan, one after the other. A file that cannot be done is reported, and the rest goes on.
public struct DenoisingRun {
    public let plan: DenoisingPlan
    public let denoiser: ImageDenoiser
    /// σ of noise added before denoising, on the 0–255 scale; the image as it was is then the reference, unless
    /// the plan names another.
    public var addedSigma: Double?
    /// Which of the numbered sequences of noise: image i gets seed 1,000,000 · this + i.
    public var realisation = 1

    public init(_ plan: DenoisingPlan, _ denoiser: ImageDenoiser) {
        (self.plan, self.denoiser) = (plan, denoiser)
    }

    public enum Event: Sendable {
        /// A part of a file, in bytes of it.
        case progress(Int, item: DenoisingPlan.Item)
        case note(String, item: DenoisingPlan.Item)
        case failed(String, item: DenoisingPlan.Item)
        case finished(DenoisingReport.Entry)
    }

    /// - Parameter onEvent: false stops after what is being done.
    public func run(_ onEvent: (Event) -> Bool) -> DenoisingReport {
        var report = DenoisingReport(model: denoiser.model.path)
        var isStopped = false
        func send(_ event: Event) { if !onEvent(event) { isStopped = true } }
        for item in plan.items where !isStopped {
            var doneBytes = 0
            do {
                let entry = try run(item) { event in
                    if case .progress(let bytes, _) = event { doneBytes += bytes }
                    send(event)
                    return !isStopped
                }
                guard let entry else { break }
                report.entries.append(entry)
                send(.finished(entry))
            } catch {
                let text = "\(error)"
                let message = text.contains(item.input) ? text : "\(item.input): \(text)"
                report.failures.append(.init(input: item.input, problem: message))
                send(.failed(message, item: item))
            }
            send(.progress(item.byteCount - doneBytes, item: item))
        }
        return report
    }

    private func run(_ item: DenoisingPlan.Item, _ onEvent: (Event) -> Bool) throws -> DenoisingReport.Entry?
    {
        let image = try Image(path: item.input)
        let noise = addedSigma.map {
            AddedNoise(sigma: $0, generator: CounterNoise(realisation: realisation, image: item.index))
        }
        let reference = try item.reference.map { try Image(path: $0) } ?? (noise == nil ? nil : image)
        if let reference { try checkSizes(reference, image, item) }
        var pending = 0.0
        let result = try denoiser.denoise(
            image, noise: noise, keepsNoisy: reference != nil || item.comparison != nil,
            onTile: { share in
                pending += share * Double(item.byteCount)
                let bytes = Int(pending)
                pending -= Double(bytes)
                return onEvent(.progress(bytes, item: item))
            }, onNote: { _ = onEvent(.note($0, item: item)) })
        guard let result else { return nil }
        let entry = DenoisingReport.Entry(
            input: item.input, name: item.name, output: item.output, sigma: result.sigma,
            before: try reference.map { try DenoisingReport.Fidelity(result.noisy, $0) },
            after: try reference.map { try DenoisingReport.Fidelity(result.image, $0) },
            retainedNoise: try reference.flatMap { clean in
                try ImageFidelity.retainedNoise(
                    restored: PixelGrid(colours: result.image), noisy: PixelGrid(colours: result.noisy),
                    clean: PixelGrid(colours: clean))
            })
        try write(result, item)
        return entry
    }

    private func checkSizes(_ reference: Image, _ image: Image, _ item: DenoisingPlan.Item) throws {
        func colours(_ image: Image) -> Int { image.hasAlpha ? image.channels - 1 : image.channels }
        guard
            (reference.width, reference.height, colours(reference)) == (
                image.width, image.height, colours(image)
            )
        else {
            throw DenoisingError(
                "\(item.input): is \(image.width)×\(image.height) with \(colours(image)) colours, its clean image \(reference.width)×\(reference.height) with \(colours(reference))"
            )
        }
    }

    private func write(_ result: DenoisedImage, _ item: DenoisingPlan.Item) throws {
        guard let output = item.output else { return }
        try makeFolder(splitPath(output).folder)
        try result.image.write(to: output, quality: 95)
        guard let comparison = item.comparison else { return }
        try ComparisonPicture.make(before: result.noisy, after: result.image).write(to: comparison)
    }
}
