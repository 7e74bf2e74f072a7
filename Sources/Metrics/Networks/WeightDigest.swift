import Archives
import Synchronization

/// Hashes parameters while a network takes them, so that the digest says which weights it has and not how their file
/// was written.
final class WeightDigest: Sendable {
    private let parts = Mutex<[String: String]>([:])
    private let original: WeightSource

    init(_ source: WeightSource) { original = source }

    /// Passes the parameters on.
    var source: WeightSource {
        WeightSource { [self] name, shape in
            let values = try original(name, shape)
            let digest = values.withUnsafeBytes { SHA256.hexadecimal($0) }
            parts.withLock { $0[name] = digest }
            return values
        }
    }

    var hexadecimal: String {
        let lines = parts.withLock { $0.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)\n" } }
        return Array(lines.joined().utf8).withUnsafeBytes { SHA256.hexadecimal($0) }
    }
}
