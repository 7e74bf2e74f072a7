import Archives
import Checkpoints
import Recipes
import TestSupport
import Testing

@Suite struct PeerJobTests {
    private func job(_ name: String) throws -> PeerJob {
        try #require(try PeerJob.all().first { $0.name == name })
    }

    @Test func `names of jobs are files' names and each its own`() throws {
        let names = try PeerJob.all().map(\.name)
        #expect(Set(names).count == names.count && names.count >= 10)
        #expect(names.allSatisfy { $0.allSatisfy { $0.isLetter || $0.isNumber || $0 == "-" } })
    }

    @Test func `a training job hands over weights, input, target, gradients and falling losses`() throws {
        try withTemporaryFolder { folder in
            let file = try SafetensorsFile(path: try job("cifar10-dico-training").export(to: folder))
            let names = Set(file.tensors.map(\.name))
            let parameters = names.filter { $0.hasPrefix("param.") }
            #expect(parameters.count > 100)
            #expect(parameters.allSatisfy { names.contains("grad_" + $0) })
            #expect(try file.tensor(named: "input.x").shape == [64, 3, 32, 32])
            #expect(try file.tensor(named: "target").shape == [64, 3, 32, 32])
            let losses = try JSONValue(parsing: try #require(file.metadata["losses"])).numbers ?? []
            #expect(losses.count == 3 && losses == losses.sorted(by: >))
            #expect(try JSONValue(parsing: file.metadata["network"] ?? "")["kind"]?.string == "dico")
        }
    }

    @Test func `a sampler's job asks half its rows without a label, and its result is no plain copy`() throws
    {
        try withTemporaryFolder { folder in
            let file = try SafetensorsFile(path: try job("cifar10-dico-sampling").export(to: folder))
            let labels = try file.tensor(named: "input.labels").floats
            #expect(labels.prefix(16).allSatisfy { $0 < 10 } && labels.suffix(16).allSatisfy { $0 == 10 })
            let (x, y) = (try file.tensor(named: "input.x"), try file.tensor(named: "output"))
            #expect(x.shape == [32, 3, 32, 32] && y.shape == x.shape)
            #expect(y.floats != x.floats && y.floats.allSatisfy(\.isFinite))
        }
    }
}
