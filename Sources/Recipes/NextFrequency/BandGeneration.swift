import Autoregression
import Layers
import Tensors

/// Draws images of a next-frequency model band by band.
///
/// Every image runs on a thread of its own with every operation on that thread alone, so its bytes depend on the
/// model, the sampling and its own seed only.
struct BandGeneration {
    let model: NextFrequencyModel
    let sampling: BandSampling
    let noise: ContextNoise
    /// How many levels are drawn.
    let levelCount: Int
    /// An image `[1, H, W, C]` whose first levels are taken over.
    var given: (image: Tensor, levels: Int)?

    /// - Parameter afterLevel: sees the images so far, `[N, H, W, C]`, after each level; false stops.
    /// - Returns: the images; nil when stopped.
    func run(
        seeds: [UInt64], labels: [Int?], afterLevel: (_ level: Int, _ images: Tensor) throws -> Bool
    ) rethrows -> Tensor? {
        var iterators = zip(seeds, labels).map { seed, label in
            let session = sampling.session(
                model.network, seat: model.configuration.seat, tokenizer: model.tokenizer, noise: noise,
                seeds: [seed],
                labels: [label])
            return NextFrequencyRun(
                session, until: levelCount, keeping: given.map { ($0.image, $0.levels) }
            ).makeIterator()
        }
        var images: Tensor?
        for level in 0..<levelCount {
            let drawn = Self.advance(&iterators)
            guard try afterLevel(level, drawn) else { return nil }
            images = drawn
        }
        return images
    }

    private static func advance(_ iterators: inout [NextFrequencyRun.Iterator]) -> Tensor {
        var previews = [Tensor?](repeating: nil, count: iterators.count)
        iterators.withUnsafeMutableBufferPointer { iterators in
            previews.withUnsafeMutableBufferPointer { previews in
                let (iterators, previews) = (iterators, previews)
                ComputeThreads.concurrently(iterators.count) { image in
                    previews[image] = iterators[image].next()?.preview.detached
                }
            }
        }
        // Solvers of bands have no errors of their own.
        precondition(iterators.allSatisfy { $0.error == nil }, "a band could not be drawn")
        return .concatenateSamples(previews.compactMap { $0 })
    }
}
