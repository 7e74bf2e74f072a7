/// Values by key, made when they are first asked for. When there are more than the limit all are forgotten, which a folder of
/// images of ever new sizes brings about, and a network that runs at a few shapes does not.
struct BoundedCache<Key: Hashable, Value> {
    let limit: Int
    private(set) var values: [Key: Value] = [:]

    init(limit: Int) { self.limit = limit }

    mutating func value(_ key: Key, make: () -> Value) -> Value {
        if let value = values[key] { return value }
        let value = make()
        if values.count >= limit { values.removeAll() }
        values[key] = value
        return value
    }
}
