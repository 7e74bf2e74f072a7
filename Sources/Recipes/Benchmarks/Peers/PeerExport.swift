import Archives
import Checkpoints
import Tensors

extension PeerJob {
    /// Updates whose losses are handed over.
    private static let stepCount = 3

    /// Writes what the other side needs to compute the same, and what it must find: a file `NAME.safetensors` with
    /// `param.*`, `input.*`, `output` (the result of a forward pass), and for training `target` and `grad_param.*`. Images
    /// lie channels first there, as PyTorch has them. Metadata: `kind` of the job, `network` (JSON), and for training
    /// `losses` (JSON) before each of the first updates and `optimizer`.
    /// - Returns: the file's path.
    /// - Throws: errors of the network's weights and of writing.
    public func export(to folder: String) throws -> String {
        let parameters = try network.parameters()
        var tensors = parameters.map { OutgoingTensor(name: "param." + $0.key, $0.value) }
        let input = input
        tensors.append(channelsFirst("input.x", input.x))
        if !input.time.isEmpty {
            let count = input.time.count
            tensors.append(
                OutgoingTensor(name: "input.time", Tensor(shape: [count], scalars: input.time)))
            tensors.append(
                OutgoingTensor(
                    name: "input.labels", Tensor(shape: [count], scalars: input.labels.map { Float($0) })))
        }
        var metadata = ["kind": kind.rawValue, "network": network.configuration.text]
        if let training = kind == .training ? try PeerTraining(self) : nil {
            tensors += try outcome(of: training, &metadata)
        } else {
            let output = try network.inference(parameters, kind == .sampling)(input)
            tensors.append(channelsFirst("output", output))
        }
        let path = joinPath(folder, "\(name).safetensors")
        try SafetensorsFile.write(tensors, metadata: metadata, to: path)
        return path
    }

    private func outcome(of training: PeerTraining, _ metadata: inout [String: String]) throws
        -> [OutgoingTensor]
    {
        let gradients = training.gradients().map { OutgoingTensor(name: "grad_param." + $0.name, $0.tensor) }
        // Its own training: running statistics have moved in this one.
        let losses = try PeerTraining(self).map { fresh in
            try (0..<Self.stepCount).map { _ in JSONValue.number(try fresh.step()) }
        }
        metadata["losses"] = JSONValue.array(losses ?? []).text
        let optimizer = Self.optimizer
        metadata["optimizer"] =
            ([
                "learningRate": .number(optimizer.learningRate), "beta1": .number(optimizer.beta1),
                "beta2": .number(optimizer.beta2), "epsilon": .number(optimizer.epsilon),
                "weightDecay": .number(optimizer.weightDecay), "clipNorm": .number(optimizer.clipNorm),
                "averageDecay": .number(optimizer.average.decay),
            ] as JSONValue).text
        return gradients + [channelsFirst("target", target)]
    }

    private func channelsFirst(_ name: String, _ tensor: Tensor) -> OutgoingTensor {
        OutgoingTensor(name: name, tensor.shape.rank == 4 ? tensor.permuted([0, 3, 1, 2]) : tensor)
    }
}
