import Archives
import Foundation

/// Finds the files that come with the project: recipes, weights.
public enum ProjectFiles {
    /// The first that exists of `name` below the working folder, the folder that `SFUMATO_HOME` names, and the folders
    /// around the executable.
    public static func find(_ name: String) -> String? {
        var roots = ["."]
        if let home = ProcessInfo.processInfo.environment["SFUMATO_HOME"] { roots.append(home) }
        var folder = splitPath(Bundle.main.executablePath ?? "").folder
        for _ in 0..<5 {
            roots.append(folder)
            folder = splitPath(folder).folder
        }
        return roots.map { joinPath($0, name) }.first(where: fileExists)
    }

    /// A recipe by path, or by its name in `samplers/`.
    /// - Throws: `GenerationError` when there is none.
    public static func recipe(_ name: String) throws -> String {
        if fileExists(name), !isFolder(name) { return name }
        if !name.hasSuffix(".yaml"), let path = find("samplers/\(name).yaml") { return path }
        if name.hasPrefix("samplers/"), let path = find(name) { return path }
        let known = recipeNames()
        let hint = nearestName(to: name, in: known).map { "did you mean \($0)?" }
        let choice =
            known.isEmpty
            ? " (there is no folder samplers here, from which names are taken)"
            : ", or one of \(known.joined(separator: ", "))"
        throw GenerationError(
            "\(name): there is no such recipe; " + (hint ?? "give a YAML file\(choice)"))
    }

    private static func recipeNames() -> [String] {
        guard let folder = find("samplers"), let names = try? folderContents(folder) else { return [] }
        return names.filter { $0.hasSuffix(".yaml") }.map { String($0.dropLast(5)) }
    }
}
