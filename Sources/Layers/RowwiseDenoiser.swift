import Synchronization
import Tensors

/// Evaluates a network so that a row's prediction depends on that row alone, to the last bit: not on the batch it came
/// in, and not on the thread count.
///
/// Every operation runs on one thread, and the pool's threads take rows side by side. Small images go through the
/// network several rows at a time, which spares memory traffic for weights; a number of rows is used only after a first
/// call has shown that it changes no bit against rows on their own. A network whose conditions are prepared is recorded
/// once for each number of rows and replayed from then on (`ReplayedFunction`).
///
/// For sampling: there is no backward pass. After the network's weights have changed, `forgetConditions` must be called.
public struct RowwiseDenoiser: Denoiser {
    public let network: any Denoiser
    private let conditions = PreparedConditions()
    private let sizes = ExactGroupSizes()
    private let replayed: ReplayedFunction?

    public init(_ network: any Denoiser) {
        self.network = network
        replayed = (network as? any ConditionedDenoiser).map { network in
            ReplayedFunction { [network.predict($0[0], conditioning: Array($0.dropFirst()))] }
        }
    }

    /// Calls of the network that were replayed from a recording.
    public var replayCount: Int { replayed?.replayCount ?? 0 }

    /// Drops what was made of the last call's conditions, as a call for another time does.
    public func forgetConditions() { conditions.forget() }

    public func predict(_ noisy: Tensor, time: [Float], labels: [Int?]) -> Tensor {
        let count = noisy.shape[0]
        guard count > 0 else { return network.predict(noisy, time: time, labels: labels) }
        let input = noisy.detached
        let rows = zip(time, labels).map(RowCondition.init)
        let function = function(rows)
        let groups = groups(count, of: noisy.shape) { group in
            function(input, [group])[0].hasSameBits(
                as: .concatenateSamples(function(input, group.map { $0..<$0 + 1 })))
        }
        return .concatenateSamples(function(input, groups))
    }

    /// What evaluates groups of rows, one result for each.
    private func function(_ rows: [RowCondition]) -> (Tensor, [Range<Int>]) -> [Tensor] {
        if let network = network as? any ConditionedDenoiser, let replayed {
            return { input, groups in
                let conditioning = conditions.conditioning(groups.map { Array(rows[$0]) }, of: network)
                return Self.each(groups) { index, group in
                    replayed([input.samples(group)] + conditioning[index])[0]
                }
            }
        }
        return { input, groups in
            Self.each(groups) { _, group in
                network.predict(
                    input.samples(group), time: rows[group].map(\.time), labels: rows[group].map(\.label))
            }
        }
    }

    /// Results of groups in their order, each from one thread alone.
    private static func each(_ groups: [Range<Int>], _ body: (Int, Range<Int>) -> Tensor) -> [Tensor] {
        ComputeThreads.concurrentMap(groups.count) { body($0, groups[$0]).detached }
    }

    /// Rows that are evaluated together, as many groups as keep all threads busy.
    /// - Parameter isExact: whether a group's results have the bits of its rows'.
    private func groups(_ count: Int, of shape: Shape, isExact: (Range<Int>) -> Bool) -> [Range<Int>] {
        let limit = Self.rowLimit(pixels: shape[1] * shape[2])
        let threads = ComputeThreads.count
        let number = min(count, ((count + limit - 1) / limit + threads - 1) / threads * threads)
        return (0..<number).flatMap { index in
            let group = count * index / number..<count * (index + 1) / number
            return sizes.allows(group.count, of: shape, isExact: { isExact(group) })
                ? [group] : group.map { $0..<$0 + 1 }
        }
    }

    /// Rows that gain from each other's company: large images fill the caches by themselves.
    private static func rowLimit(pixels: Int) -> Int { max(1, min(8, 8192 / max(1, pixels))) }
}

/// What a row is told beside its pixels.
private struct RowCondition: Hashable, Sendable {
    let time: Float
    let label: Int?
}

/// Numbers of rows that were evaluated together and on their own.
private final class ExactGroupSizes: Sendable {
    private struct Key: Hashable {
        let rowExtents: [Int]
        let size: Int
    }

    private let known = Mutex<[Key: Bool]>([:])

    func allows(_ size: Int, of shape: Shape, isExact: () -> Bool) -> Bool {
        guard size > 1 else { return true }
        let key = Key(rowExtents: Array(shape.extents.dropFirst()), size: size)
        if let answer = known.withLock({ $0[key] }) { return answer }
        let answer = isExact()
        known.withLock { $0[key] = answer }
        return answer
    }
}

/// What a network made of the conditions of the last call: the rows of a batch share them, and so do solvers that ask
/// twice at one level. Earlier ones are dropped, so that a long run holds no more than a short one.
private final class PreparedConditions: Sendable {
    private struct Known {
        var rows: [RowCondition: [Tensor]] = [:]
        var groups: [[RowCondition]: [Tensor]] = [:]
    }

    private let latest = Mutex(Known())
    private let counts = ExactGroupSizes()

    func forget() { latest.withLock { $0 = Known() } }

    /// The tensors of each group, its rows one below the other.
    func conditioning(_ groups: [[RowCondition]], of network: any ConditionedDenoiser) -> [[Tensor]] {
        var known = latest.withLock { $0 }
        let rows = Set(groups.joined())
        let missing = Array(rows.subtracting(known.rows.keys))
        let made = make(missing, of: network)
        known.rows = known.rows.filter { rows.contains($0.key) }.merging(zip(missing, made)) { $1 }
        let wanted = Set(groups)
        known.groups = known.groups.filter { wanted.contains($0.key) }
        for group in wanted where known.groups[group] == nil {
            known.groups[group] = Self.joined(group.compactMap { known.rows[$0] })
        }
        latest.withLock { [known] in $0 = known }
        return groups.compactMap { known.groups[$0] }
    }

    /// The tensors of each row. Several go through the network's layers together, whose weights are then read once,
    /// where a first call has shown that it changes no bit.
    private func make(_ rows: [RowCondition], of network: any ConditionedDenoiser) -> [[Tensor]] {
        @Sendable func together(_ range: Range<Int>) -> [Tensor] {
            network.conditioning(time: rows[range].map(\.time), labels: rows[range].map(\.label))
        }
        @Sendable func alone(_ range: Range<Int>) -> [[Tensor]] { range.map { together($0..<$0 + 1) } }
        let threads = ComputeThreads.count
        let number = max(min(rows.count, threads), (rows.count + Self.rowLimit - 1) / Self.rowLimit)
        // Each part on one thread, as rows are: the bytes then depend on the condition alone. All threads on each part would
        // wait for one another at every small operation, and as long as the system lets another program run.
        let parts = ComputeThreads.concurrentMap(number) { [counts] index in
            let range = rows.count * index / number..<rows.count * (index + 1) / number
            guard range.count > 1 else { return alone(range) }
            let isExact = counts.allows(range.count, of: [0]) {
                zip(together(range), Self.joined(alone(range))).allSatisfy { $0.hasSameBits(as: $1) }
            }
            guard isExact else { return alone(range) }
            let tensors = together(range)
            return (0..<range.count).map { row in tensors.map { $0.samples(row..<row + 1) } }
        }
        return parts.flatMap { $0 }
    }

    /// Conditions that are made together.
    private static let rowLimit = 16

    private static func joined(_ rows: [[Tensor]]) -> [Tensor] {
        guard rows.count > 1 else { return rows.first ?? [] }
        return rows[0].indices.map { index in .concatenateSamples(rows.map { $0[index] }) }
    }
}
