import Archives
import ArgumentParser
import Checkpoints
import Images
import Recipes
import Tensors

/// Where samples go, and in which forms.
struct ResultOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: "The folder for the results.")
    var out = "outputs/samples"
    @Flag(help: "Also write all images as one picture, grid.png.")
    var grid = false
    @Option(help: "Images per row of the grid (default: as square as can be).")
    var columns: Int?
    @Option(help: "Also write the expected image every so many steps, as SEED-step-N.png.")
    var previewsEvery: Int?
    @Flag(help: "Also write the denoising of all images as an animation, film.gif.")
    var gif = false
    @Flag(
        help: "Also write samples.npz as ADM's evaluation reads it: arr_0 uint8 [N, H, W, C], arr_1 labels.")
    var npz = false
    @Flag(inversion: .prefixedNo, help: "Write a PNG for every image.")
    var images = true
    @Flag(help: "Replace files that exist.")
    var overwrite = false

    /// Whether only arrays are written, which latents can be.
    var isArrayOnly: Bool { npz && !images && !grid && !gif && previewsEvery == nil }

    func validate() throws {
        if let previewsEvery, previewsEvery < 1 {
            throw ValidationError("--previews-every must be at least 1, found \(previewsEvery).")
        }
        if let columns, columns < 1 {
            throw ValidationError("--columns must be at least 1, found \(columns).")
        }
        if !images, !grid, !gif, !npz, previewsEvery == nil {
            throw ValidationError("--no-images leaves nothing to write; add --grid, --gif or --npz.")
        }
    }
}

/// Writes samples as they are finished. Every file appears whole or not at all.
final class SampleWriter {
    private let plan: GenerationPlan
    private let options: ResultOptions
    private var paths: [String] = []
    /// Finished pictures in the order of the plan, where something is made of all of them.
    private var finished: [Image] = []
    private var samples: [Tensor] = []
    private var frames: [[Image]] = []

    /// - Throws: `GenerationError` when a file would be replaced; `FileError` when the folder cannot be made or written.
    init(_ plan: GenerationPlan, options: ResultOptions) throws {
        self.plan = plan
        self.options = options
        try makeFolder(options.out)
        var targets = options.images ? plan.items.map { name($0) } : []
        if options.grid { targets.append("grid.png") }
        if options.gif { targets.append("film.gif") }
        if options.npz { targets.append("samples.npz") }
        let existing = options.overwrite ? [] : targets.filter { fileExists(path($0)) }
        if let first = existing.first {
            throw GenerationError(
                "\(path(first)): already exists\(existing.count > 1 ? ", and \(existing.count - 1) more" : ""); "
                    + "choose another --out, or add --overwrite")
        }
        // An unwritable folder or a full disk should not be found out after minutes of sampling.
        try AtomicFile(path: path("writable")).discard()
    }

    func add(_ step: Generator.Step) throws {
        let isLast = step.index == step.count - 1
        if let every = options.previewsEvery, (step.index + 1) % every == 0, !isLast {
            for (item, image) in zip(plan.items[step.items], step.previews) {
                try write(image, to: name(item, suffix: "-step-\(step.index + 1)"))
            }
        }
        if options.gif {
            if frames.count <= step.index { frames.append([]) }
            frames[step.index] += step.previews
        }
    }

    func add(_ items: Range<Int>, _ tensor: Tensor) throws {
        if options.npz { samples.append(tensor) }
        guard plan.makesImages else { return }
        let images = Image.batch(tensor)
        if options.images {
            for (item, var image) in zip(plan.items[items], images) {
                image.texts = plan.texts(for: item)
                try write(image, to: name(item))
            }
        }
        if options.grid || options.gif || options.npz { finished += images }
    }

    /// Writes what is made of all images.
    /// - Returns: every file written.
    func finish(isComplete: Bool) throws -> [String] {
        if options.grid, !finished.isEmpty {
            try write(Image.grid(finished, columns: options.columns), to: "grid.png")
        }
        if options.npz, isComplete { try writeArrays() }
        if options.gif, isComplete {
            let film = (frames + [finished]).map { Image.grid($0, columns: options.columns) }
            // A few bands are looked at, many solver steps are a film.
            let pace = frames.count < 12 ? 0.6 : 0.08
            let bytes = try GIFEncoder(frameSeconds: pace, lastFrameSeconds: 2).encode(film)
            try AtomicFile.write(bytes, to: path("film.gif"))
            paths.append(path("film.gif"))
        }
        return paths
    }

    var json: JSONValue {
        ["files": .array(paths.map { .string($0) }), "images": .integer(plan.items.count)]
    }

    private func writeArrays() throws {
        let target = path("samples.npz")
        let shape = [plan.items.count, plan.sampleSize.height, plan.sampleSize.width, plan.channels]
        let images =
            plan.makesImages
            ? StoredTensor(
                name: "arr_0", shape: shape, integers: finished.flatMap { $0.bytes.map(Int.init) }, as: .uint8
            )
            : StoredTensor(name: "arr_0", shape: shape, floats: samples.flatMap(\.scalars))
        let labels = StoredTensor(
            name: "arr_1", shape: [plan.items.count], integers: plan.items.map { $0.label ?? -1 })
        try NumPyArchive.write([images, labels], to: target, isCompressed: true)
        paths.append(target)
    }

    private func write(_ image: Image, to name: String) throws {
        try image.write(to: path(name))
        paths.append(path(name))
    }

    private func path(_ name: String) -> String { joinPath(options.out, name) }

    private func name(_ item: GenerationPlan.Item, suffix: String = "") -> String {
        let digits = String(item.seed)
        return String(repeating: "0", count: max(0, 8 - digits.count)) + digits + suffix + ".png"
    }
}
