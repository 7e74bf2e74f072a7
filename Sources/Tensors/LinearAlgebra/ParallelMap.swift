extension ComputeThreads {
    /// The results of `transform` for every element, in order, computed on the pool. Whatever the number of
    /// threads, each result comes from one call with its own element. `transform` runs on several threads at once
    /// and must not share mutable state.
    /// - Throws: the error of the first element, in order, that has one.
    public static func map<Element, Value>(
        _ elements: [Element], _ transform: (Element) throws -> Value
    ) throws -> [Value] {
        var results = [Result<Value, any Error>?](repeating: nil, count: elements.count)
        results.withUnsafeMutableBufferPointer { slots in
            let slots = slots
            parallelFor(elements.count, grain: 1) { begin, end in
                for index in begin..<end { slots[index] = Result { try transform(elements[index]) } }
            }
        }
        return try results.compactMap { try $0?.get() }
    }

    /// The results of `concurrently`, in order: each from one thread alone, so that it is the same for any number of
    /// threads.
    public static func concurrentMap<Value>(_ count: Int, _ body: (Int) -> Value) -> [Value] {
        var results = [Value?](repeating: nil, count: count)
        results.withUnsafeMutableBufferPointer { slots in
            let slots = slots
            concurrently(count) { slots[$0] = body($0) }
        }
        return results.compactMap { $0 }
    }
}
