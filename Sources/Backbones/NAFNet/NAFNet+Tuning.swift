import Layers
import Tensors

extension NAFNetConfiguration {
    /// The plain network that a tunable one is at one setting of the user's parameters, and its parameters: what
    /// inference at a fixed setting runs, at no cost over a NAFNet that was never tunable.
    ///
    /// Densities of weighted kernels are folded too.
    public func fixed(_ parameters: [String: Tensor], at tuning: [Float]) -> (
        NAFNetConfiguration, [String: Tensor]
    ) {
        var configuration = self
        configuration.kernel = .standard
        guard kernel.kind == .tunable else {
            return (configuration, ConvolutionKernel.foldingDensities(parameters))
        }
        var result: [String: Tensor] = [:]
        for (name, tensor) in ConvolutionKernel.mixing(parameters, at: tuning) {
            var parts = name.split(separator: ".").map(String.init)
            var value = tensor
            if let index = parts.firstIndex(of: "sca") { parts.insert("1", at: index + 1) }
            if parts.first == "ups", parts.count == 3 { parts.insert("0", at: 2) }
            if parts.count > 1, parts[parts.count - 2].hasPrefix("norm") {
                value = tensor.reshaped([tensor.elementCount])
            }
            result[parts.joined(separator: ".")] = value
        }
        return (configuration, result)
    }
}
