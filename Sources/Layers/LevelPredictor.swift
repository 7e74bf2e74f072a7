import Tensors

/// What a next-frequency sampler sees of a network that predicts a level's tokens from the levels before it.
public protocol LevelPredictor: Sendable {
    /// Begins a batch of images.
    /// - Parameter labels: a class per image; nil asks for the unconditional prediction of that row.
    func begin(labels: [Int?]) -> any LevelPrediction
}

/// A batch of images in the making; the levels are asked for in order, each once.
public protocol LevelPrediction: AnyObject {
    /// The scores of every code at every position of a level.
    /// - Parameter input: what the levels before add up to, at this level's size `[N, h, w, C]`; nil at the
    ///   first.
    /// - Returns: `[N, h·w, K]`, positions row by row.
    func logits(level: Int, input: Tensor?) -> Tensor
}
