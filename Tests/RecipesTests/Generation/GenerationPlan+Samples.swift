import Recipes

extension GenerationPlan {
    /// What a plan draws, image by image in the plan's order.
    func samples(batch: Int = 16) -> [[Float]] {
        var samples: [[Float]] = []
        Generator(self, batchSize: batch).run { event in
            if case .finished(let items, let tensor) = event {
                samples += (0..<items.count).map { tensor.samples($0..<$0 + 1).scalars }
            }
            return true
        }
        return samples
    }
}
