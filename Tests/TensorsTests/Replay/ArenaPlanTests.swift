import Testing

@testable import Tensors

@Suite struct ArenaPlanTests {
    private func lifetimes(seed: UInt64, count: Int) -> [StepRecorder.Lifetime] {
        let values = RandomStream(seed: seed).uniforms([count, 2]).scalars
        return (0..<count).map { index in
            let length = Int(values[2 * index] * 20)
            return StepRecorder.Lifetime(
                byteCount: Int(values[2 * index + 1] * 5000), birth: index,
                death: index % 17 == 0 ? .max : index + length)
        }
    }

    @Test(arguments: [UInt64(1), 2, 3])
    func `allocations that live at the same time share no byte`(seed: UInt64) throws {
        let lives = lifetimes(seed: seed, count: 300)
        let plan = ArenaPlan(lives)
        let places = try lives.indices.map {
            try #require(plan.place($0, byteCount: lives[$0].byteCount, step: lives[$0].birth))
        }
        for a in lives.indices {
            #expect(places[a] % 64 == 0 && places[a] + lives[a].byteCount <= plan.byteCount)
            for b in 0..<a where lives[a].birth <= lives[b].death && lives[b].birth <= lives[a].death {
                #expect(
                    places[a] + lives[a].byteCount <= places[b]
                        || places[b] + lives[b].byteCount <= places[a] || lives[a].byteCount == 0
                        || lives[b].byteCount == 0)
            }
        }
        #expect(plan.byteCount < lives.reduce(0) { $0 + $1.byteCount } / 2)
    }

    @Test func `memory that a step is still reading is not handed to that step`() {
        // The first is let go of at step 1, when the second is taken: an operation that reads one and writes the other.
        let plan = ArenaPlan([
            .init(byteCount: 640, birth: 0, death: 1), .init(byteCount: 640, birth: 1, death: 2),
            .init(byteCount: 640, birth: 2, death: 3),
        ])
        #expect(plan.byteCount == 1280)
    }

    @Test func `an allocation of another size or at another step is not the one that was planned`() {
        let plan = ArenaPlan([.init(byteCount: 100, birth: 3, death: 5)])
        #expect(plan.place(0, byteCount: 100, step: 3) == 0)
        #expect(plan.place(0, byteCount: 101, step: 3) == nil)
        #expect(plan.place(0, byteCount: 100, step: 4) == nil)
        #expect(plan.place(1, byteCount: 100, step: 3) == nil)
    }

    @Test func `nothing is planned for a function that allocates nothing`() {
        #expect(ArenaPlan([]).byteCount == 0)
    }
}
