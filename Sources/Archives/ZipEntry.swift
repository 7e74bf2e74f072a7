/// One file inside a zip, as its central directory describes it.
public struct ZipEntry: Sendable, Hashable {
    /// Path inside the archive, `/` between folders.
    public let name: String
    /// Bytes once decompressed.
    public let size: Int
    public let compressedSize: Int
    public let crc32: UInt32
    /// 0: stored, 8: deflate. Others can be listed, not read.
    let method: UInt16
    let isEncrypted: Bool
    /// Position of the local header in the file.
    let headerOffset: Int

    public var isFolder: Bool { name.hasSuffix("/") }

    /// Whether the bytes lie in the archive as they are.
    public var isStored: Bool { method == 0 }
}
