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
            for b in 0..<a where lives[a].birth < lives[b].death && lives[b].birth < lives[a].death {
                #expect(
                    places[a] + lives[a].byteCount <= places[b]
                        || places[b] + lives[b].byteCount <= places[a] || lives[a].byteCount == 0
                        || lives[b].byteCount == 0)
            }
        }
        #expect(plan.byteCount < lives.reduce(0) { $0 + $1.byteCount } / 2)
    }

    @Test func `a chain of operations needs the memory of two`() {
        // Written by one step and read by the next.
        let plan = ArenaPlan((0..<5).map { .init(byteCount: 640, birth: $0, death: $0 + 2) })
        #expect(plan.byteCount == 1280)
    }

    @Test func `memory whose tensor is gone as soon as its address is known stays until the step is done`() {
        let recorder = StepRecorder()
        recorder.watch {
            let x = Tensor.uninitialized([16])
            var temporary: Tensor? = gelu(x)
            if let address = temporary?.base {
                temporary = nil
                perform { _ = address[0] }
            }
        }
        #expect(recorder.surveyed.map(\.death)[1] == 2)
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
