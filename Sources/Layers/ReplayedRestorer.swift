import Tensors

/// A restorer for inference whose network is recorded once for each size of images and replayed from then on
/// (`ReplayedFunction`): the tiles of a large image, and the images of a folder.
public struct ReplayedRestorer: ImageRestorer {
    private let restorer: any ImageRestorer
    /// By what is given beside the images: nothing, the noise level, the user's parameters, or both.
    private let functions: [ReplayedFunction]

    public init(_ restorer: any ImageRestorer) {
        self.restorer = restorer
        functions = [(false, false), (true, false), (false, true), (true, true)].map { hasLevel, hasTuning in
            ReplayedFunction { values in
                let condition = RestorationCondition(
                    noiseLevel: hasLevel ? values[1] : nil, tuning: hasTuning ? values.last : nil)
                return [restorer.restore(values[0], condition, isTraining: false)]
            }
        }
    }

    public var imageChannels: Int { restorer.imageChannels }
    public var needsNoiseLevel: Bool { restorer.needsNoiseLevel }
    public var tuningCount: Int { restorer.tuningCount }

    /// Calls that were replayed from a recording.
    public var replayCount: Int { functions.reduce(0) { $0 + $1.replayCount } }

    public func restore(_ noisy: Tensor, _ condition: RestorationCondition, isTraining: Bool) -> Tensor {
        guard !isTraining else { return restorer.restore(noisy, condition, isTraining: true) }
        let values = [noisy] + [condition.noiseLevel, condition.tuning].compactMap { $0 }
        let index = (condition.noiseLevel == nil ? 0 : 1) + (condition.tuning == nil ? 0 : 2)
        return functions[index](values)[0]
    }
}
