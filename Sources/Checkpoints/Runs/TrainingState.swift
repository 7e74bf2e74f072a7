import Archives
import Tensors

/// Everything a training run needs to go on as if it had never stopped.
///
/// One safetensors file, `format: sfumato-training`: `model.*`, `ema.*`, `optimizer.m.*` and `optimizer.v.*`, all
/// float32, and the rest as metadata.
public struct TrainingState: Sendable {
    public static let format = "sfumato-training"

    /// Optimiser steps taken.
    public var step: Int
    /// The configuration of the run.
    public var config: JSONValue
    public var model: [String: Tensor]
    /// Averaged weights; empty where none are kept.
    public var ema: [String: Tensor]
    /// First and second moments of AdamW by parameter.
    public var firstMoments: [String: Tensor]
    public var secondMoments: [String: Tensor]
    /// How far each random stream has been used, by the stream's name.
    public var randomCounters: [String: UInt64]
    /// Where in the data the run is; the data loader's own business.
    public var dataPosition: JSONValue
    /// What else should survive: elapsed seconds, running means.
    public var notes: JSONValue

    public init(
        step: Int, config: JSONValue, model: [String: Tensor], ema: [String: Tensor] = [:],
        firstMoments: [String: Tensor] = [:], secondMoments: [String: Tensor] = [:],
        randomCounters: [String: UInt64] = [:], dataPosition: JSONValue = nil, notes: JSONValue = nil
    ) {
        self.step = step
        self.config = config
        self.model = model
        self.ema = ema
        self.firstMoments = firstMoments
        self.secondMoments = secondMoments
        self.randomCounters = randomCounters
        self.dataPosition = dataPosition
        self.notes = notes
    }

    /// - Throws: `FileError` when the file cannot be read, `CheckpointFileError` when it is no training state.
    public init(path: String) throws {
        let file = try SafetensorsFile(path: path)
        guard file.metadata["format"] == Self.format, let step = file.metadata["step"].flatMap({ Int($0) })
        else {
            throw CheckpointFileError(
                file: path,
                problem: "is no state of a training run; only files of a run's checkpoints folder are")
        }
        func json(_ key: String) throws -> JSONValue {
            do { return try JSONValue(parsing: file.metadata[key] ?? "null") } catch {
                throw CheckpointFileError(
                    file: path, problem: "its metadata \"\(key)\" is not JSON: \(error)")
            }
        }
        func group(_ prefix: String) -> [String: Tensor] {
            Dictionary(uniqueKeysWithValues: file.tensors(withPrefix: prefix).map { ($0.name, $0.tensor) })
        }
        // Counters are texts, because a JSON number cannot hold 64 bits everywhere.
        let counters = try json("random").object ?? [:]
        self.init(
            step: step, config: try json("config"), model: group("model."), ema: group("ema."),
            firstMoments: group("optimizer.m."), secondMoments: group("optimizer.v."),
            randomCounters: counters.compactMapValues { $0.string.flatMap { UInt64($0) } },
            dataPosition: try json("data"), notes: try json("notes"))
    }

    /// - Throws: `FileError` when the disk is full or the folder unwritable; no file is left then.
    public func write(to path: String) throws {
        let groups = [
            ("model.", model), ("ema.", ema), ("optimizer.m.", firstMoments), ("optimizer.v.", secondMoments),
        ]
        let tensors = groups.flatMap { prefix, group in
            group.map { OutgoingTensor(name: prefix + $0.key, $0.value) }
        }
        let metadata = [
            "format": Self.format, "step": String(step), "config": config.text,
            "random": JSONValue.object(randomCounters.mapValues { .string(String($0)) }).text,
            "data": dataPosition.text, "notes": notes.text,
        ]
        try SafetensorsFile.write(tensors, metadata: metadata, to: path)
    }
}
