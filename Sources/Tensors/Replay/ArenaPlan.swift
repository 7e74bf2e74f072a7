/// Places in one block of memory for allocations whose lifetimes are known.
///
/// The largest come first, each at the lowest place that is free while it lives ("greedy by size", arXiv 2001.03288,
/// section 4.3).
struct ArenaPlan: Sendable {
    /// Of the whole block.
    let byteCount: Int
    private let allocations: [(byteCount: Int, birth: Int, place: Int)]

    private static let alignment = 64

    /// - Parameter lifetimes: in the order of allocation.
    init(_ lifetimes: [StepRecorder.Lifetime]) {
        var places = [Int](repeating: 0, count: lifetimes.count)
        var placed: [(range: Range<Int>, birth: Int, death: Int)] = []
        var total = 0
        for index in lifetimes.indices.sorted(by: {
            (lifetimes[$1].byteCount, $0) < (lifetimes[$0].byteCount, $1)
        }) {
            let life = lifetimes[index]
            let size = (life.byteCount + Self.alignment - 1) / Self.alignment * Self.alignment
            guard size > 0 else { continue }
            var place = 0
            // In the order of their places.
            let end = max(life.death, life.birth + 1)
            for other in placed where other.birth < end && life.birth < other.death {
                if other.range.lowerBound >= place + size { break }
                place = max(place, other.range.upperBound)
            }
            let range = place..<place + size
            let position = placed.firstIndex { $0.range.lowerBound > place } ?? placed.count
            placed.insert((range, life.birth, end), at: position)
            places[index] = place
            total = max(total, range.upperBound)
        }
        byteCount = total
        allocations = lifetimes.indices.map { (lifetimes[$0].byteCount, lifetimes[$0].birth, places[$0]) }
    }

    var count: Int { allocations.count }

    /// Where an allocation lies; nil for one that the plan does not know.
    func place(_ index: Int, byteCount: Int, step: Int) -> Int? {
        guard index < allocations.count else { return nil }
        let known = allocations[index]
        return known.byteCount == byteCount && known.birth == step ? known.place : nil
    }
}

/// The block itself.
final class Arena: Sendable {
    let plan: ArenaPlan
    private let storage: Storage

    init(_ plan: ArenaPlan) {
        self.plan = plan
        storage = Storage(byteCount: plan.byteCount)
    }

    var pointer: UnsafeMutableRawPointer { storage.pointer }
}
