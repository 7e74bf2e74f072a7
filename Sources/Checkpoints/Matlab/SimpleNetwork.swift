import Tensors

/// A chain of convolutions as MatConvNet's SimpleNN stores it and cszn/DnCNN, FDnCNN and FFDNet publish it, under
/// the names of cszn/KAIR: `model.0.weight`, `model.0.bias`, `model.2.weight`, ….
///
/// A structure `net` with cells `layers`, each with a `type` and `weights`. Convolutions are `[kh, kw, in, out]` and not
/// flipped; batch normalisation, (γ, β, [μ, √(variance + ε)]), is merged into the convolution before it. FFDNet's
/// sub-pixels are counted along columns there and along rows here.
struct SimpleNetwork {
    let tensors: [StoredTensor]

    private struct Layer {
        /// `[out, in, kh, kw]`
        var weight: [Float]
        var bias: [Float]
        let shape: [Int]
    }

    /// - Throws: `CheckpointFileError` when the file holds no such network.
    init(_ file: MatlabFile) throws {
        func refuse(_ problem: String) -> CheckpointFileError {
            CheckpointFileError(file: file.path, problem: problem)
        }
        let candidates =
            [file.variables["net"]].compactMap { $0 } + file.variables.sorted { $0.key < $1.key }.map(\.value)
        guard let cells = candidates.lazy.compactMap({ $0["layers"]?.items }).first else {
            throw refuse("holds no network of MatConvNet's SimpleNN, a structure net with layers")
        }
        var layers: [Layer] = []
        for (index, cell) in cells.enumerated() {
            switch cell["type"]?.text {
            case "conv":
                guard let layer = Self.convolution(cell) else {
                    throw refuse("layer \(index + 1) is no convolution")
                }
                layers.append(layer)
            case "bnorm":
                guard let last = layers.indices.last, Self.merge(cell, into: &layers[last]) else {
                    throw refuse("layer \(index + 1) is no batch normalisation of the convolution before it")
                }
            default: continue
            }
        }
        guard let first = layers.first, let last = layers.last, layers.count > 1 else {
            throw refuse("has \(layers.count) convolutions, which make no network")
        }
        if last.shape[0] % 4 == 0, first.shape[1] == last.shape[0] + 1 { Self.reorderSubpixels(&layers) }
        tensors = layers.enumerated().flatMap { index, layer in
            [
                StoredTensor(name: "model.\(2 * index).weight", shape: layer.shape, floats: layer.weight),
                StoredTensor(name: "model.\(2 * index).bias", shape: [layer.shape[0]], floats: layer.bias),
            ]
        }
    }

    private static func convolution(_ cell: MatlabValue) -> Layer? {
        let stored = cell["weights"]?.items?.map(\.array) ?? [cell["filters"]?.array, cell["biases"]?.array]
        guard let kernel = stored.first ?? nil, kernel.extents.count <= 4, !kernel.values.isEmpty else {
            return nil
        }
        let (kh, kw, inputs, outputs) = (
            kernel.extent(0), kernel.extent(1), kernel.extent(2), kernel.extent(3)
        )
        var weight = [Float](repeating: 0, count: kernel.values.count)
        for filter in 0..<outputs * inputs {
            for row in 0..<kh {
                for column in 0..<kw {
                    weight[(filter * kh + row) * kw + column] =
                        kernel.values[(filter * kw + column) * kh + row]
                }
            }
        }
        let bias = stored.count > 1 ? stored[1]?.values ?? [] : []
        guard bias.isEmpty || bias.count == outputs else { return nil }
        return Layer(
            weight: weight, bias: bias.isEmpty ? Array(repeating: 0, count: outputs) : bias,
            shape: [outputs, inputs, kh, kw])
    }

    private static func merge(_ cell: MatlabValue, into layer: inout Layer) -> Bool {
        let channels = layer.shape[0]
        guard let stored = cell["weights"]?.items?.map(\.array), stored.count == 3,
            let scale = stored[0]?.values, let shift = stored[1]?.values, let moments = stored[2]?.values,
            scale.count == channels, shift.count == channels, moments.count == 2 * channels,
            moments[channels...].allSatisfy({ $0 > 0 })
        else { return false }
        let size = layer.weight.count / channels
        for channel in 0..<channels {
            let factor = scale[channel] / moments[channels + channel]
            for i in channel * size..<(channel + 1) * size { layer.weight[i] *= factor }
            layer.bias[channel] = (layer.bias[channel] - moments[channel]) * factor + shift[channel]
        }
        return true
    }

    /// Exchanges the second and third of every four channels that come in and go out.
    private static func reorderSubpixels(_ layers: inout [Layer]) {
        func source(_ channel: Int, of count: Int) -> Int {
            guard channel < count / 4 * 4 else { return channel }
            return channel % 4 == 1 ? channel + 1 : channel % 4 == 2 ? channel - 1 : channel
        }
        let first = layers[0]
        let (inputs, taps) = (first.shape[1], first.shape[2] * first.shape[3])
        for index in first.weight.indices {
            let (filter, tap) = (index / taps, index % taps)
            let from = filter / inputs * inputs + source(filter % inputs, of: inputs)
            layers[0].weight[index] = first.weight[from * taps + tap]
        }
        let last = layers[layers.count - 1]
        let size = last.weight.count / last.shape[0]
        for channel in 0..<last.shape[0] {
            let from = source(channel, of: last.shape[0])
            layers[layers.count - 1].bias[channel] = last.bias[from]
            for i in 0..<size {
                layers[layers.count - 1].weight[channel * size + i] = last.weight[from * size + i]
            }
        }
    }
}
