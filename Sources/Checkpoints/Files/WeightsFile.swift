import Archives

/// Weights of whatever file they come in: safetensors, PyTorch's `.pth`/`.pt`, NumPy's `.npz`, MATLAB's `.mat`.
public enum WeightsFile {
    /// The tensors under their published names, told by the file's contents, not by its extension.
    ///
    /// - Throws: `FileError` when the file cannot be read, `CheckpointFileError` or `ArchiveError` when it is
    ///   damaged or of another kind.
    public static func read(path: String) throws -> [StoredTensor] {
        let bytes = try MappedFile(path: path).slice
        if ZipArchive.isZip(bytes) {
            let archive = try ZipArchive(bytes, file: path)
            let isNumPy = !archive.entries.isEmpty && archive.entries.allSatisfy { $0.name.hasSuffix(".npy") }
            return isNumPy
                ? try NumPyArchive.read(path: path) : try TorchFile(bytes, path: path).stateDictionary()
        }
        if TorchFile.isTorch(bytes) { return try TorchFile(bytes, path: path).stateDictionary() }
        if SafetensorsFile.isSafetensors(bytes) { return try SafetensorsFile(bytes, path: path).tensors }
        if MatlabFile.isMatlab(bytes) { return try SimpleNetwork(MatlabFile(bytes, path: path)).tensors }
        throw CheckpointFileError(
            file: path, problem: "is none of safetensors, .pth, .npz and .mat, or is damaged at its beginning"
        )
    }
}
