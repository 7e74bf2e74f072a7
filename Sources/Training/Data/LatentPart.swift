import Archives
import Checkpoints
import Tensors

/// One file of a set of latents: a stretch of its images, complete in itself.
///
/// A safetensors file with `latents [n, h, w, c]`, scaled as a generator sees them; where the posterior is kept,
/// `deviations` of the same shape; of mirrored images `mirrored.latents` and `mirrored.deviations`; where there are classes,
/// `labels [n]`. The metadata carry `config` (JSON, the same in every part), `part` (its number) and `names` (JSON).
public struct LatentPart: Sendable {
    static let format = "sfumato-latents"

    /// The name of a part's file.
    public static func fileName(_ number: Int) -> String {
        let digits = String(number)
        return "part-" + String(repeating: "0", count: max(0, 5 - digits.count)) + digits + ".safetensors"
    }

    public let path: String
    /// What all parts of a set agree on.
    public let config: JSONValue
    /// Which part of the set it is, from 0.
    public let number: Int
    /// What the images were called.
    public let names: [String]
    public let labels: [Int]
    let latents: StoredTensor
    let deviations: StoredTensor?
    let mirrored: (latents: StoredTensor, deviations: StoredTensor?)?

    public var count: Int { names.count }

    /// - Throws: `FileError` when the file cannot be read, `CheckpointFileError` when it is no sound part.
    public init(path: String) throws {
        let file = try SafetensorsFile(path: path)
        func fault(_ problem: String) -> CheckpointFileError {
            CheckpointFileError(file: path, problem: problem)
        }
        guard file.metadata["format"] == Self.format, let number = file.metadata["part"].flatMap({ Int($0) }),
            let config = try? file.metadata["config"].map(JSONValue.init(parsing:)),
            let listed = try? file.metadata["names"].map(JSONValue.init(parsing:)),
            let names = listed.strings
        else { throw fault("is no part of a set of latents; make one with sfumato encode") }
        let latents = try file.tensor(named: "latents")
        guard latents.shape.count == 4, latents.shape[0] == names.count, latents.type.isFloatingPoint else {
            throw fault("latents is \(latents.shape), needed [\(names.count), h, w, c] for its names")
        }
        func sibling(_ name: String) throws -> StoredTensor? {
            guard let tensor = file[name] else { return nil }
            guard tensor.shape == latents.shape, tensor.type.isFloatingPoint else {
                throw fault("\(name) is \(tensor.shape), latents \(latents.shape)")
            }
            return tensor
        }
        deviations = try sibling("deviations")
        let flipped = try sibling("mirrored.deviations")
        mirrored = try sibling("mirrored.latents").map { ($0, flipped) }
        guard mirrored == nil || (flipped == nil) == (deviations == nil) else {
            throw fault("has deviations of one side only")
        }
        labels = file["labels"]?.integers ?? []
        guard labels.isEmpty || labels.count == names.count else {
            throw fault("labels is [\(labels.count)], needed [\(names.count)]")
        }
        (self.path, self.config, self.number, self.names, self.latents) = (
            path, config, number, names, latents
        )
    }

    /// Writes a part; it appears whole or not at all.
    /// - Parameters:
    ///   - tensors: as listed above.
    /// - Throws: `FileError`.
    public static func write(
        _ tensors: [OutgoingTensor], names: [String], number: Int, config: JSONValue, to path: String
    ) throws {
        let metadata = [
            "format": format, "part": String(number), "config": config.text,
            "names": JSONValue.array(names.map(JSONValue.string)).text,
        ]
        try SafetensorsFile.write(tensors, metadata: metadata, to: path)
    }
}
