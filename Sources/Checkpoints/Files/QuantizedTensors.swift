import Tensors

/// How weights of 8-bit integers lie in a file: `NAME` as I8 `[O, I, …]`, `NAME.scale` as F32 `[O]`, `NAME.factor` as
/// F32 `[I]`, `NAME.correction` as F32 `[O]`, and `NAME.input` as F32 `[3]`: scale, zero point and lowest integer (0 or
/// −128) of the layer's input.
extension QuantizedWeights {
    private static let scaleSuffix = ".scale"
    private static let factorSuffix = ".factor"
    private static let correctionSuffix = ".correction"
    private static let inputSuffix = ".input"

    public func stored(name: String) -> [StoredTensor] {
        let form = [input.scale, Float(input.zeroPoint), input.isSigned ? -128 : 0]
        return [
            StoredTensor(name: name, shape: shape.extents, integers: integers.map(Int.init), as: .int8),
            StoredTensor(name: name + Self.scaleSuffix, shape: [scales.count], floats: scales),
            StoredTensor(
                name: name + Self.correctionSuffix, shape: [corrections.count], floats: corrections),
            StoredTensor(
                name: name + Self.factorSuffix, shape: [channelFactors.count], floats: channelFactors),
            StoredTensor(name: name + Self.inputSuffix, shape: [3], floats: form),
        ]
    }

    /// Tells quantised weights from other tensors. The result has the numbers that they stand for among the others, so
    /// that whoever does not multiply integers needs to know nothing of them.
    /// - Throws: `CheckpointFileError` when a scale is missing or senseless.
    static func separate(_ tensors: [StoredTensor], file: String) throws -> (
        tensors: [StoredTensor], quantized: [String: QuantizedWeights]
    ) {
        let integers = tensors.filter { $0.type == .int8 && $0.shape.count > 1 }
        guard !integers.isEmpty else { return (tensors, [:]) }
        let named = Dictionary(tensors.map { ($0.name, $0) }) { first, _ in first }
        var quantized: [String: QuantizedWeights] = [:]
        var parts: Set<String> = []
        for tensor in integers {
            guard let scale = named[tensor.name + scaleSuffix], let input = named[tensor.name + inputSuffix],
                let factor = named[tensor.name + factorSuffix],
                let correction = named[tensor.name + correctionSuffix]
            else { continue }
            quantized[tensor.name] = try weights(
                tensor, scale.floats, factor.floats, correction.floats, input.floats, file: file)
            parts.formUnion([scale.name, factor.name, correction.name, input.name])
        }
        let values = tensors.filter { !parts.contains($0.name) }.map { tensor in
            quantized[tensor.name].map { StoredTensor(name: tensor.name, $0.values) } ?? tensor
        }
        return (values, quantized)
    }

    private static func weights(
        _ tensor: StoredTensor, _ scales: [Float], _ factors: [Float], _ corrections: [Float],
        _ input: [Float], file: String
    ) throws -> QuantizedWeights {
        func fault(_ problem: String) -> CheckpointFileError {
            CheckpointFileError(file: file, problem: "\(tensor.name): \(problem); the file is damaged")
        }
        guard scales.count == tensor.shape[0], factors.count == tensor.shape[1],
            (scales + factors).allSatisfy({ $0 > 0 && $0.isFinite })
        else {
            throw fault(
                "its \(tensor.shape[0]) outputs and \(tensor.shape[1]) inputs need as many positive scales and factors"
            )
        }
        guard corrections.count == tensor.shape[0], corrections.allSatisfy(\.isFinite) else {
            throw fault("its \(tensor.shape[0]) outputs need as many finite corrections")
        }
        guard input.count == 3, input[0] > 0, input[0].isFinite, (0...255).contains(input[1]),
            input[2] == 0 || (input[2] == -128 && input[1] == 0)
        else { throw fault("its input needs a positive scale, a zero point in 0…255, and 0 or −128") }
        return QuantizedWeights(
            shape: Shape(tensor.shape), integers: tensor.integers.map { Int8(clamping: $0) }, scales: scales,
            input: InputQuantization(scale: input[0], zeroPoint: Int(input[1]), isSigned: input[2] < 0),
            channelFactors: factors, corrections: corrections)
    }
}
