/// A wish for fewer steps that cannot be met.
public struct RespacingError: Error, CustomStringConvertible {
    public let description: String
}

/// Which of the training steps a shorter process visits (ADM's `timestep_respacing`).
public enum Respacing {
    /// Original step indices, ascending, for a specification string.
    ///
    /// `""` keeps all steps. `"n1,n2,…"` splits them into equal consecutive sections and takes that many
    /// from each. `"ddimN"` takes a fixed integer stride that gives exactly N steps (DDIM, arXiv 2010.02502).
    /// - Throws: `RespacingError` when the string cannot be read or asks for more steps than there are.
    public static func steps(_ specification: String, of count: Int) throws -> [Int] {
        if specification.isEmpty { return Array(0..<count) }
        if specification.hasPrefix("ddim") {
            guard let wanted = Int(specification.dropFirst(4)), wanted > 0 else {
                throw unreadable(specification)
            }
            return try strided(wanted, of: count)
        }
        let parts = specification.split(separator: ",", omittingEmptySubsequences: false)
        let sections = try parts.map { part -> Int in
            guard let n = Int(part.filter { $0 != " " }), n > 0 else { throw unreadable(specification) }
            return n
        }
        return try sectioned(sections, of: count)
    }

    static func strided(_ wanted: Int, of count: Int) throws -> [Int] {
        for stride in 1..<max(count, 2) where (count + stride - 1) / stride == wanted {
            return Array(Swift.stride(from: 0, to: count, by: stride))
        }
        throw RespacingError(
            description: "ddim\(wanted): no integer stride takes exactly \(wanted) of \(count) steps; "
                + "use \"\(wanted)\" for uneven spacing, or another number")
    }

    static func sectioned(_ sections: [Int], of count: Int) throws -> [Int] {
        var steps: [Int] = []
        var start = 0
        for (index, wanted) in sections.enumerated() {
            let size = count / sections.count + (index < count % sections.count ? 1 : 0)
            guard wanted <= size else {
                throw RespacingError(
                    description: "respacing asks for \(wanted) steps of a section that has \(size); "
                        + "ask for at most \(size)")
            }
            let stride = wanted <= 1 ? 1 : Double(size - 1) / Double(wanted - 1)
            // Accumulated, as the original does: a product rounds differently at some halves.
            var position = 0.0
            for _ in 0..<wanted {
                steps.append(start + Int(position.rounded(.toNearestOrEven)))
                position += stride
            }
            start += size
        }
        return steps
    }

    private static func unreadable(_ specification: String) -> RespacingError {
        RespacingError(
            description: "respacing \"\(specification)\" is not understood; "
                + "write a number of steps (\"50\"), numbers per section (\"10,15,20\") or \"ddim50\"")
    }
}
