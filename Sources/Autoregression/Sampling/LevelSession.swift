import Tensors

/// A batch of images in the making, of whatever tokens: what the next-frequency driver moves from level to level.
public protocol LevelSession: AnyObject {
    var levelCount: Int { get }
    /// Draws the next level.
    func draw()
    /// Takes the next level from given images instead, at full size `[N, H, W, C]` in the model's own space.
    func keep(_ images: Tensor)
    /// Makes images of full size of what has been drawn up to now; what is drawn later does not change them.
    var image: @Sendable () -> Tensor { get }
}

extension LevelSession {
    /// What has been drawn so far as images of full size.
    public var preview: Tensor { image() }
}

/// The driver of every next-frequency model: draws level after level, as a sequence that the caller may watch
/// or leave.
///
/// Lower bands never change once drawn. Leaving early gives the image up to that band.
public struct NextFrequencyRun: Sequence {
    /// A level just finished.
    public struct Step: Sendable {
        public var level: Int
        public var levelCount: Int
        /// Makes the image so far, `[N, H, W, C]`.
        public var image: @Sendable () -> Tensor

        /// The image so far.
        public var preview: Tensor { image() }
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

        public mutating func next() -> Step? {
            guard level < run.stop else { return nil }
            if let given = run.given, level < given.levels {
                run.session.keep(given.images)
            } else {
                run.session.draw()
            }
            defer { level += 1 }
            return Step(level: level, levelCount: run.session.levelCount, image: run.session.image)
        }
    }

    public func makeIterator() -> Iterator { Iterator(run: self) }

    /// Runs to the end.
    /// - Parameter progress: called after each level.
    /// - Returns: the images.
    public func finish(_ progress: (Step) throws -> Void = { _ in }) rethrows -> Tensor {
        for step in self { try progress(step) }
        return session.preview
    }
}
