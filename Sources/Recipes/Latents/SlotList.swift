import Synchronization

/// Places that threads fill, each its own.
final class SlotList<Value: Sendable>: Sendable {
    private let slots: Mutex<[Value?]>

    init(_ count: Int) { slots = Mutex(Array(repeating: nil, count: count)) }

    subscript(index: Int) -> Value? {
        get { slots.withLock { $0[index] } }
        set { slots.withLock { $0[index] = newValue } }
    }

    /// What was filled, in order.
    var values: [Value] { slots.withLock { $0.compactMap(\.self) } }
}
