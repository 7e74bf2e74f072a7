import Training

/// Which images a run learns from, and how they are prepared.
public struct DataSettings: Settings, Hashable {
    /// How the data is stored: folder, zip, cifar10, idx, shapes or latents; told by looking at `path` when absent.
    public var kind: DatasetSpecification.Kind?
    /// The folder or file; not for `shapes`.
    public var path: String?
    /// The file of labels, for `idx` where its name does not follow from the images'.
    public var labels: String?
    /// Which half of data that comes in two (cifar10, idx).
    public var part: DatasetSpecification.Part?
    /// Number of images that `shapes` draws.
    public var count: Int?

    /// For models that read prompts: a safetensors file with an embedded prompt `[tokens, width]` for each image under
    /// its file's name without extension, or for each class under its name.
    public var prompts: String?

    /// What the network sees: `32` or `48x32`; latent cells of latents.
    public var size = ImageSize(32)
    /// 3 for colour, 1 for grey; of latents as many as they have.
    public var channels = 3
    /// How an image comes to that size: centerCrop (ADM's), stretch or randomCrop.
    public var fit = ImagePreparation.Fit.centerCrop
    /// Mirror left and right for half of the samples; of latents those of mirrored images are taken, where there are any.
    public var flip = true
    /// Turn and mirror by the eight symmetries of the square.
    public var dihedral = false
    /// Shift by up to this many pixels.
    public var shift = 0
    /// Keep this many images, spread over the classes, out of the training: real images to score samples with.
    public var holdout = 0
    /// What a damaged image does: skip (another takes its place, once reported) or error.
    public var onBadImage = BadImagePolicy.skip
    /// Threads that decode ahead of the computation.
    public var threads = 2

    public init() {}

    public static var defaults: DataSettings { DataSettings() }

    public func validate() throws {
        try Self.require(
            kind == .latents ? channels >= 1 : channels == 1 || channels == 3, "channels",
            kind == .latents
                ? "at least 1, found \(channels)"
                : "1 (grey) or 3 (colour), found \(channels); latents need kind: latents")
        try Self.require(
            kind != .latents || (!dihedral && shift == 0 && fit == .centerCrop), "kind",
            "another than latents for fit, dihedral and shift: latents are taken as they are")
        try Self.require(holdout >= 0, "holdout", "at least 0, found \(holdout)")
        try Self.require(threads >= 1, "threads", "at least 1, found \(threads)")
        try Self.require(shift >= 0, "shift", "at least 0, found \(shift)")
        try Self.require(count.map { $0 > 0 } ?? true, "count", "at least 1, found \(count ?? 0)")
        let needsPath = kind.map { $0 != .shapes } ?? true
        try Self.require(!needsPath || path != nil, "path", "given, unless kind is shapes")
        try Self.require(
            !dihedral || size.width == size.height, "dihedral", "false unless the size is a square")
    }

    public var specification: DatasetSpecification {
        DatasetSpecification(
            kind: kind, path: path, labels: labels, part: part, count: count, width: size.width,
            height: size.height)
    }

    public var preparation: ImagePreparation {
        ImagePreparation(
            width: size.width, height: size.height, channels: channels, fit: fit, horizontalFlip: flip,
            dihedral: dihedral, shift: shift)
    }
}
