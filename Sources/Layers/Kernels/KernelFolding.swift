import Tensors

// Checkpoints of weighted and tunable convolutions turned into checkpoints of standard ones: at inference the forms
// then cost nothing.
extension ConvolutionKernel {
    /// Every weight multiplied by its density; `den`, `Phi` and `alfa` are gone.
    public static func foldingDensities(_ parameters: [String: Tensor]) -> [String: Tensor] {
        var result = parameters
        for (name, tensor) in parameters {
            let (base, leaf) = split(name)
            guard leaf == "den" || leaf == "Phi", let weight = parameters[join(base, "weight")] else {
                continue
            }
            let kernel: KernelDensity? = leaf == "den" ? KernelDensity(tensor.scalars) : nil
            let density = kernel.map { $0.product(axes: weight.shape.rank - 2) } ?? tensor.scalars
            let rows = weight.detached.reshaped([weight.shape[0] * weight.shape[1], density.count])
            result[join(base, "weight")] =
                (rows * Tensor(shape: [density.count], scalars: density)).reshaped(weight.shape)
            for part in ["den", "Phi", "alfa"] { result[join(base, part)] = nil }
        }
        return result
    }

    /// Every mixture taken at one setting of the user's parameters; `data` of a tunable parameter becomes the
    /// parameter itself.
    /// - Parameter tuning: P values.
    public static func mixing(_ parameters: [String: Tensor], at tuning: [Float]) -> [String: Tensor] {
        let user = Tensor(shape: [1, tuning.count], scalars: tuning)
        var result: [String: Tensor] = [:]
        for (name, tensor) in parameters {
            let (base, leaf) = split(name)
            guard !base.hasSuffix(".mlp"), base != "mlp" else { continue }
            let isMixed =
                (leaf == "weight" && tensor.shape.rank == 6) || (leaf == "bias" && tensor.shape.rank == 3)
                || leaf == "data"
            guard isMixed else {
                result[name] = tensor
                continue
            }
            var weights = user
            if let a = parameters[join(base, "mlp.weight")] {
                weights = user.linear(a.detached, bias: parameters[join(base, "mlp.bias")]?.detached)
            }
            let rest = Array(tensor.shape.extents.dropFirst(2))
            let mixed = weights.multiplied(
                by: tensor.detached.reshaped([tensor.shape[1], rest.reduce(1, *)]))
            if leaf == "data" {
                result[base] = mixed.reshaped(Shape([1] + rest))
            } else {
                result[name] = mixed.reshaped(Shape(rest))
            }
        }
        return result
    }

    private static func split(_ name: String) -> (base: String, leaf: String) {
        guard let dot = name.lastIndex(of: ".") else { return ("", name) }
        return (String(name[..<dot]), String(name[name.index(after: dot)...]))
    }

    private static func join(_ base: String, _ leaf: String) -> String {
        base.isEmpty ? leaf : base + "." + leaf
    }
}
