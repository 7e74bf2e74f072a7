import Archives
import Glibc

/// The folder of one training run.
///
/// ```
/// config.yaml                              the configuration, as the run was started
/// checkpoints/step-00001000.safetensors    states, newest last
/// samples/                                 grids of images made on the way
/// log.jsonl                                one line per logged step
/// events.out.tfevents.*                    the same for TensorBoard
/// ```
public struct RunFolder: Sendable, Hashable {
    public let path: String

    public init(path: String) { self.path = path }

    public var configPath: String { joinPath(path, "config.yaml") }
    public var checkpointsPath: String { joinPath(path, "checkpoints") }
    public var samplesPath: String { joinPath(path, "samples") }
    public var logPath: String { joinPath(path, "log.jsonl") }

    /// A saved state, by its file's name.
    public struct SavedState: Sendable, Hashable {
        public let step: Int
        public let path: String
    }

    /// Takes the folder for training: makes what is missing of it, writes the configuration, and removes what
    /// interrupted writes left.
    ///
    /// - Parameter config: text of `config.yaml`; nil leaves the file as it is.
    /// - Returns: the sole right to train into this folder, for as long as it is held.
    /// - Throws: `FolderInUseError` when another process trains here; `FileError` when the folder cannot be made
    ///   or written.
    public func open(config: String? = nil) throws -> FolderLock {
        try makeFolder(path)
        let lock = try FolderLock(folder: path)
        for folder in [checkpointsPath, samplesPath] { try makeFolder(folder) }
        // Only under the lock: another run's unfinished file is no leftover.
        for folder in [path, checkpointsPath, samplesPath] { try removeLeftovers(in: folder) }
        if let config { try AtomicFile.write(config, to: configPath) }
        return lock
    }

    public func statePath(step: Int) -> String {
        joinPath(checkpointsPath, Self.stepName(step) + ".safetensors")
    }

    /// Where the picture of a step's samples lies.
    public func samplePath(step: Int) -> String { joinPath(samplesPath, Self.stepName(step) + ".png") }

    private static func stepName(_ step: Int) -> String {
        let digits = String(step)
        return "step-" + String(repeating: "0", count: max(0, 8 - digits.count)) + digits
    }

    /// Every saved state by rising step. A file appears under its name only when whole, so each is complete.
    public func states() -> [SavedState] {
        let names = (try? folderContents(checkpointsPath)) ?? []
        let states = names.compactMap { name -> SavedState? in
            guard name.hasPrefix("step-"), name.hasSuffix(".safetensors"),
                let step = Int(name.dropFirst("step-".count).dropLast(".safetensors".count))
            else { return nil }
            return SavedState(step: step, path: joinPath(checkpointsPath, name))
        }
        return states.sorted { ($0.step, $0.path) < ($1.step, $1.path) }
    }

    /// Writes a state, then removes the ones that `retention` does not keep.
    /// - Throws: `FileError` when the disk is full or the folder unwritable; earlier states are untouched then.
    public func save(_ state: TrainingState, retention: Retention = Retention()) throws {
        try state.write(to: statePath(step: state.step))
        // Steps after this one belong to an abandoned attempt; they are not counted as newest.
        let saved = states().filter { $0.step <= state.step }
        let stale = Set(retention.stale(saved.map(\.step)))
        for old in saved where stale.contains(old.step) { unlink(old.path) }
    }

    /// The newest state that reads; nil when there is none.
    ///
    /// A file damaged by the disk is passed over for the one before it; `onDamage` hears of it.
    /// - Throws: the newest one's error when no state reads.
    public func newestState(onDamage: (any Error) -> Void = { _ in }) throws -> TrainingState? {
        var first: (any Error)?
        for saved in states().reversed() {
            do { return try TrainingState(path: saved.path) } catch {
                first = first ?? error
                onDamage(error)
            }
        }
        if let first { throw first }
        return nil
    }

    /// Path of the newest state whose file is sound.
    /// - Throws: `CheckpointFileError` when there is none.
    public func newestStatePath() throws -> String {
        let sound = states().last { (try? SafetensorsFile(path: $0.path)) != nil }
        guard let sound else {
            throw CheckpointFileError(
                file: path, problem: "is a folder without checkpoints/step-*.safetensors")
        }
        return sound.path
    }

    private func removeLeftovers(in folder: String) throws {
        for name in try folderContents(folder)
        where name.hasPrefix(".") && name.hasSuffix(AtomicFile.partialSuffix) {
            unlink(joinPath(folder, name))
        }
    }
}
