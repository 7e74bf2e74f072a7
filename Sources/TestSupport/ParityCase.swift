import Archives
import Checkpoints
import Tensors
import Testing

/// A parity case as a test argument.
///
/// ```swift
/// @Test(.enabled(if: ParityCase.exist("dico")), arguments: ParityCase.all("dico", prefix: "block_"))
/// func `matches the reference`(_ reference: ParityCase) throws {
///     let fixture = try reference.fixture()
///     …
///     expectMatch(y, try fixture.output("y"), within: 1e-5)
/// }
/// ```
public struct ParityCase: Sendable, CustomStringConvertible, CustomTestStringConvertible {
    public let path: String

    public var description: String { splitPath(path).name }
    public var testDescription: String { description }

    public func fixture() throws -> Fixture { try Fixture(path: path) }

    /// The cases of an area (`dico`) whose file names begin with `prefix`: those of the full set, and those
    /// vendored ones that the full set lacks.
    public static func all(_ area: String, prefix: String = "") -> [ParityCase] {
        var cases: [String: String] = [:]
        for root in [TestData.vendored, TestData.fixtures].compactMap({ $0 }) {
            let folder = joinPath(root, area)
            for name in (try? folderContents(folder)) ?? []
            where name.hasPrefix(prefix) && name.hasSuffix(".safetensors") {
                cases[name] = joinPath(folder, name)
            }
        }
        return cases.sorted { $0.key < $1.key }.map { ParityCase(path: $0.value) }
    }

    /// Whether any case is there, for `.enabled(if:)`.
    public static func exist(_ area: String, prefix: String = "") -> Bool {
        !all(area, prefix: prefix).isEmpty
    }
}

/// Records an issue that names the worst element when values differ from the reference by more than `tolerance`
/// of its RMS.
public func expectMatch(
    _ computed: Tensor, _ expected: StoredTensor, channelsLast: Bool = true, within tolerance: Double,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let comparison =
        channelsLast
        ? Comparison(name: expected.name, channelsLast: computed, expected: expected)
        : Comparison(name: expected.name, computed, expected: expected)
    #expect(comparison.error <= tolerance, "\(comparison)", sourceLocation: sourceLocation)
}
