import Archives
import Foundation

/// Where the numbers and images that tests compare with lie on this machine.
public enum TestData {
    /// The repository's root.
    public static let root: String = {
        var parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        parts.removeLast(3)
        return parts.joined(separator: "/")
    }()

    /// The full set of parity cases: `SFUMATO_FIXTURES`, else `../shared/parity` beside the repository.
    public static let fixtures = folder("SFUMATO_FIXTURES", default: root + "/../shared/parity")

    /// Real images and published weights: `SFUMATO_DATA`, else `../shared/data` beside the repository.
    public static let data = folder("SFUMATO_DATA", default: root + "/../shared/data")

    /// The small set that comes with the repository.
    public static let vendored = root + "/Tests/Fixtures"

    /// A file of the full set, or of the vendored set, whichever exists.
    public static func fixture(_ path: String) -> String {
        if let fixtures, fileExists(joinPath(fixtures, path)) { return joinPath(fixtures, path) }
        return joinPath(vendored, path)
    }

    private static func folder(_ variable: String, default path: String) -> String? {
        let folder = ProcessInfo.processInfo.environment[variable] ?? path
        return fileExists(folder) ? folder : nil
    }
}
