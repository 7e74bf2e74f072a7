import Glibc

/// The folder of a path ("." where it names none) and its last component.
public func splitPath(_ path: String) -> (folder: String, name: String) {
    guard let slash = path.lastIndex(of: "/") else { return (".", path) }
    let folder = slash == path.startIndex ? "/" : String(path[..<slash])
    return (folder, String(path[path.index(after: slash)...]))
}

/// `folder/name`, without a doubled slash or a leading "./".
public func joinPath(_ folder: String, _ name: String) -> String {
    if folder.isEmpty || folder == "." { return name }
    return folder.hasSuffix("/") ? folder + name : folder + "/" + name
}

/// Makes a folder and those above it; one that exists is left alone.
///
/// - Throws: `FileError` when a part of the path is a file, or the folder above is unwritable.
public func makeFolder(_ path: String) throws {
    var status = stat()
    if stat(path, &status) == 0 {
        guard status.st_mode & S_IFMT == S_IFDIR else {
            throw FileError(path: path, action: "make a folder", code: ENOTDIR)
        }
        return
    }
    let parent = splitPath(path).folder
    if parent != "/", parent != "." { try makeFolder(parent) }
    guard mkdir(path, 0o777) == 0 || errno == EEXIST else {
        throw FileError(path: path, action: "make a folder")
    }
}

/// Names in a folder in byte order, without "." and "..".
public func folderContents(_ path: String) throws -> [String] {
    guard let handle = opendir(path) else { throw FileError(path: path, action: "read") }
    defer { closedir(handle) }
    var names: [String] = []
    while let entry = readdir(handle) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
}

public func fileExists(_ path: String) -> Bool { access(path, F_OK) == 0 }

/// Asks the disk to remember the folder's names. A file system that cannot is no reason to fail: the file
/// itself has been flushed.
func syncFolder(_ path: String) {
    let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    fsync(descriptor)
    close(descriptor)
}
