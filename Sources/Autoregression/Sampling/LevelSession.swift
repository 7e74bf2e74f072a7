import Tensors

/// A batch of images in the making, of whatever tokens: what the next-frequency driver moves from level to level.
public protocol LevelSession: AnyObject {
    var levelCount: Int { get }
    /// Draws the next level.
    func draw() throws
    /// Takes the next level from given images instead, at full size `[N, H, W, C]` in the model's own space.
    func keep(_ images: Tensor) throws
    /// What has been drawn so far as images of full size.
    var preview: Tensor { get }
}

/// The driver of every next-frequency model: draws level after level, as a sequence that the caller may watch
/// or leave.
///
/// Lower bands never change once drawn. Leaving early gives the image up to that band.
public struct NextFrequencyRun: Sequence {
    /// A level just finished.
    public struct Step {
        public var level: Int
        public var levelCount: Int
        /// The image so far, `[N, H, W, C]`.
        public var preview: Tensor
    }

    let session: any LevelSession
    let given: (images: Tensor, levels: Int)?
    let stop: Int

    /// - Parameters:
    ///   - until: number of levels to draw; nil for all.
    ///   - keeping: images whose first levels are taken over; the rest is drawn anew (frequency editing).
    public init(_ session: any LevelSession, until: Int? = nil, keeping: (images: Tensor, levels: Int)? = nil)
    {
        self.session = session
        given = keeping
        stop = Swift.min(until ?? session.levelCount, session.levelCount)
    }

    public struct Iterator: IteratorProtocol {
        let run: NextFrequencyRun
        var level = 0
        /// Why the run ended early, if it did.
        public private(set) var error: (any Error)?

        public mutating func next() -> Step? {
            guard level < run.stop, error == nil else { return nil }
            do {
                if let given = run.given, level < given.levels {
                    try run.session.keep(given.images)
                } else {
                    try run.session.draw()
                }
            } catch {
                self.error = error
                return nil
            }
            defer { level += 1 }
            return Step(level: level, levelCount: run.session.levelCount, preview: run.session.preview)
        }
    }

    public func makeIterator() -> Iterator { Iterator(run: self) }

    /// Runs to the end.
    /// - Parameter progress: called after each level.
    /// - Returns: the images.
    public func finish(_ progress: (Step) throws -> Void = { _ in }) throws -> Tensor {
        var iterator = makeIterator()
        while let step = iterator.next() { try progress(step) }
        if let error = iterator.error { throw error }
        return session.preview
    }
}
