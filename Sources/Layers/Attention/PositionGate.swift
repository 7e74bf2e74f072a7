import Tensors

/// Which factors a linear attention puts on keys and values, one for each position and head (LINA's "KV gate").
public enum GateKind: String, Codable, Hashable, Sendable, CaseIterable {
    case none
    /// Keys and values, every head its own.
    case keysAndValues
    /// Keys and values, one factor for all heads.
    case shared
    case keys
    case values
    /// Values, and keys with different factors in the numerator and in the normaliser.
    case splitKeys
    /// σ(W·x + b)^(1/16) of the token itself. Its published training gave NaN; it is here to rebuild that experiment.
    case dynamic
}

/// The positions a gate has factors for.
public struct GateTable: Codable, Hashable, Sendable {
    /// How a gate serves a sequence of another length.
    public enum Fit: String, Codable, Hashable, Sendable {
        /// It does not.
        case exact
        /// The first positions are used.
        case first
        /// The grid is resized bilinearly; prefix tokens keep theirs.
        case interpolated
    }

    public var prefix: Int
    public var height: Int
    public var width: Int
    public var fit: Fit

    public init(prefix: Int = 0, height: Int, width: Int, fit: Fit = .exact) {
        self.prefix = prefix
        self.height = height
        self.width = width
        self.fit = fit
    }

    public var count: Int { prefix + height * width }

    /// - Throws: `ConfigurationError` when the gate has no factors for such a sequence.
    public func check(_ layout: TokenLayout) throws {
        let found = layout.count ?? layout.prefix
        let fits =
            switch fit {
            case .exact: found == count
            case .first: found <= count
            case .interpolated: layout.prefix == prefix && layout.grid != nil
            }
        guard fits else {
            throw ConfigurationError(
                field: "gate",
                demand:
                    "made for the sequence: it has \(prefix) leading and \(height)×\(width) image tokens (\(fit)), "
                    + "the sequence \(layout.prefix) and \(layout.grid?.description ?? "no grid")")
        }
    }
}

/// Factors for each position and head as a published parameter `[1, heads, L, 1]`.
struct PositionGate: Sendable {
    /// Beyond this a factor counts as this, and NaN as 0: far outside what training reaches, near enough that products
    /// of gated keys, values and queries stay finite.
    static let limit: Float = 65_536

    let factors: Tensor
    let table: GateTable

    init(_ scope: Scope, _ name: String, heads: Int, table: GateTable) {
        factors = scope.parameter(name, [1, heads, table.count, 1], .ones)
        self.table = table
    }

    /// The factors of a sequence, `[L, heads]`.
    func callAsFunction(count: Int, layout: TokenLayout) -> Tensor {
        let heads = factors.shape[1]
        let all = factors.reshaped([heads, table.count]).clamped(to: Self.limit)
        if count == table.count, layout.grid == nil || layout.grid == TokenGrid(table.height, table.width) {
            return all.permuted([1, 0])
        }
        switch table.fit {
        case .exact:
            preconditionFailure("a gate for \(table.count) tokens met \(count); check(_:) says so in time")
        case .first:
            precondition(count <= table.count, "a gate for at most \(table.count) tokens met \(count)")
            return all.channels(0..<count).permuted([1, 0])
        case .interpolated:
            guard let grid = layout.grid, layout.prefix == table.prefix else {
                preconditionFailure("a gate on a grid met a sequence without one")
            }
            let resized = Self.resize(
                all.channels(table.prefix..<table.count).reshaped([heads, table.height, table.width]),
                to: grid
            ).reshaped([heads, grid.count])
            guard table.prefix > 0 else { return resized.permuted([1, 0]) }
            return Tensor.concatenateChannels([all.channels(0..<table.prefix), resized]).permuted([1, 0])
        }
    }

    /// Bilinear with pixel centres at halves: `[heads, h, w]` → `[heads, H, W]`.
    static func resize(_ map: Tensor, to grid: TokenGrid) -> Tensor {
        let rows = interpolation(from: map.shape[1], to: grid.height)
        let columns = interpolation(from: map.shape[2], to: grid.width)
        return rows.matrixProduct(map).matrixProduct(columns, transposed: (false, true))
    }

    /// `[1, to, from]`, each row the weights of one result.
    private static func interpolation(from source: Int, to target: Int) -> Tensor {
        var weights = [Float](repeating: 0, count: source * target)
        for i in 0..<target {
            let position = max(0, (Double(i) + 0.5) * Double(source) / Double(target) - 0.5)
            let low = min(Int(position), source - 1)
            let high = min(low + 1, source - 1)
            weights[i * source + low] += Float(1 - (position - Double(low)))
            weights[i * source + high] += Float(position - Double(low))
        }
        return Tensor(shape: [1, target, source], scalars: weights)
    }
}
