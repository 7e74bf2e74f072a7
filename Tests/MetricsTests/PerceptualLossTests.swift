import Tensors
import TestSupport
import Testing

@testable import Metrics

/// LPIPS as a loss.
@Suite struct PerceptualLossTests {
    /// Numbers like noise for every parameter of a network, positive for the biases and heads: what its ReLUs are given
    /// stays away from their kink.
    private static func network(_ backbone: PerceptualDistance.Backbone) throws -> PerceptualDistance {
        let source = WeightSource { name, shape in
            let count = shape.reduce(1, *)
            guard shape.count == 4 else { return [Float](repeating: 0.5, count: count) }
            let isHead = name.hasPrefix("lin")
            let scale = isHead ? 1 : 0.3 / Float(shape[1] * shape[2] * shape[3]).squareRoot()
            return (0..<count).map { index in
                let noise = Float((index &* 7919 &+ 104_729) % 1009) / 504 - 1
                return scale * (isHead ? abs(noise) : noise)
            }
        }
        return try PerceptualDistance(backbone, trunk: source, heads: source)
    }

    @Test(arguments: [PerceptualDistance.Backbone.vgg, .squeeze])
    func `the loss is the mean distance, with its derivative`(_ backbone: PerceptualDistance.Backbone) throws
    {
        let network = try Self.network(backbone)
        let random = RandomStream(seed: 4)
        let (made, real) = (
            random.normals([2, 17, 19, 3]) * 0.5, random.stream(1).normals([2, 17, 19, 3]) * 0.5
        )
        let loss = network.loss(made, real).item
        let values = try network(made, real).values
        let mean = Float(values.reduce(0, +) / 2)
        #expect(mean > 0 && abs(loss - mean) < 1e-4 * mean)
        #expect(network.loss(real, real).item == 0)
        expectDerivative(
            of: { network.loss($0[0], real) }, at: [made], step: 1 / 64, within: 1e-2, elements: 4)
    }
}
