import Synchronization

/// Prepared images in memory, filled as they are first decoded, so that later epochs decode nothing.
///
/// Readers take no copy: a slot is written once, before it is marked, and never again.
final class PreparedImageCache: @unchecked Sendable {
    private let bytes: UnsafeMutablePointer<UInt8>
    private let slotSize: Int
    private let filled: Mutex<[Bool]>

    init(count: Int, slotSize: Int) {
        bytes = .allocate(capacity: max(count * slotSize, 1))
        self.slotSize = slotSize
        filled = Mutex([Bool](repeating: false, count: count))
    }

    deinit { bytes.deallocate() }

    /// The image in a slot, valid as long as the cache lives; nil when it is not filled yet.
    func pointer(at index: Int) -> UnsafePointer<UInt8>? {
        filled.withLock { $0[index] } ? UnsafePointer(bytes + index * slotSize) : nil
    }

    /// Keeps an image, unless another thread was faster.
    func store(_ image: [UInt8], at index: Int) {
        filled.withLock { filled in
            guard !filled[index] else { return }
            (bytes + index * slotSize).update(from: image, count: slotSize)
            filled[index] = true
        }
    }

    var filledCount: Int { filled.withLock { $0.count(where: { $0 }) } }
}
