import Archives
import Checkpoints

/// Checks files in the form of parity cases: rebuilds each, compares, and reports.
public struct Verifier: Sendable {
    /// In order of asking; the first that recognises a case rebuilds it.
    public static let families: [any FixtureFamily.Type] = [
        DiCoVerification.self, DiffusionVerification.self, MetricsVerification.self,
        DenoiseVerification.self, NFIGVerification.self, LINAVerification.self,
    ]

    public init() {}

    /// Never throws: whatever is wrong with the file is the outcome.
    public func verify(path: String) -> VerificationReport {
        do {
            if let result = try DenoiseVerification.verifyCompanion(path: path) {
                return VerificationReport(path: path, outcome: .compared(result))
            }
            let fixture = try Fixture(path: path)
            guard let family = Self.families.first(where: { $0.recognizes(fixture) }) else {
                return VerificationReport(path: path, outcome: .unsupported(Self.kind(of: fixture)))
            }
            return VerificationReport(path: path, outcome: .compared(try family.verify(fixture)))
        } catch let error as UnsupportedFixture {
            return VerificationReport(path: path, outcome: .unsupported(error.description))
        } catch {
            return VerificationReport(path: path, outcome: .unreadable("\(error)"))
        }
    }

    /// The files named, and the safetensors files inside the folders named, in the order given.
    /// - Throws: `FileError` when a folder cannot be read.
    public static func files(in paths: [String]) throws -> [String] {
        try paths.flatMap { path -> [String] in
            guard isFolder(path) else { return [path] }
            return try folderContents(path).sorted().flatMap { name -> [String] in
                let child = joinPath(path, name)
                if isFolder(child) { return try files(in: [child]) }
                return name.hasSuffix(".safetensors") ? [child] : []
            }
        }
    }

    private static func kind(of fixture: Fixture) -> String {
        if let kind = fixture.config["kind"]?.string { return "kind \"\(kind)\" is not known" }
        return fixture.source.isEmpty
            ? "it has neither a config with a kind nor a source" : "made by \(fixture.source)"
    }
}
