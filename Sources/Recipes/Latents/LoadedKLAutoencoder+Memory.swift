import Foundation
import Tensors

/// What large images cost in memory, and how it is kept within bounds.
extension LoadedKLAutoencoder {
    /// Images that are in work side by side hold no more than this together, unless one alone does.
    private static let sharedBytes = 4 << 30

    /// Bytes that the features of one image take at most, roughly: eight times those of the widest layer, as measured.
    public func featureBytes(_ size: ImageSize) -> Int {
        let channels = configuration.channels
        let widest = channels.enumerated().map { level, width in
            // The decoder enlarges a level while it still has the width of the deeper one.
            (size.width >> level) * (size.height >> level)
                * max(width, channels[min(level + 1, channels.count - 1)])
        }
        return 8 * 4 * (widest.max() ?? 0)
    }

    /// How many images of a size are worked on at a time: one for each thread, fewer where they are large.
    func concurrency(_ size: ImageSize) -> Int {
        max(1, min(ComputeThreads.count, Self.sharedBytes / max(1, featureBytes(size))))
    }

    /// Calls `body` for every index, each on one thread alone, as many side by side as memory allows.
    func forEach(_ count: Int, size: ImageSize, _ body: (Int) -> Void) {
        let step = concurrency(size)
        for first in stride(from: 0, to: count, by: step) {
            ComputeThreads.concurrently(min(step, count - first)) { body(first + $0) }
        }
    }

    /// - Throws: `GenerationError` when images of that size do not divide into latents, or one is more than this
    ///   machine's memory holds.
    public func check(_ size: ImageSize) throws {
        let factor = configuration.stride
        guard size.width % factor == 0, size.height % factor == 0 else {
            throw GenerationError(
                "size must have sides that are multiples of \(factor) for \(path), found \(size)")
        }
        let (needed, present) = (featureBytes(size), ProcessInfo.processInfo.physicalMemory)
        guard UInt64(needed) <= present else {
            throw GenerationError(
                "size \(size) needs about \(TextTable.bytes(needed)) for one image with \(path), this machine has "
                    + "\(TextTable.bytes(Int(present))); choose a smaller one")
        }
    }
}
