extension StoredType {
    /// Scalars as bytes of this type: floats rounded to nearest even, integers from rounded, clamped floats.
    func encode(_ values: UnsafeBufferPointer<Float>) -> [UInt8] {
        switch self {
        case .float32: Array(UnsafeRawBufferPointer(values))
        case .float64: bytes(values) { Double($0) }
        case .float16: bytes(values) { HalfPrecision.float16($0) }
        case .bfloat16: bytes(values) { HalfPrecision.bfloat16($0) }
        default: encode(values.map { integer(Double($0)) })
        }
    }

    func encode(_ values: UnsafeBufferPointer<Double>) -> [UInt8] {
        switch self {
        case .float64: Array(UnsafeRawBufferPointer(values))
        case .float32: bytes(values) { Float($0) }
        case .float16: bytes(values) { HalfPrecision.float16($0) }
        case .bfloat16: bytes(values) { HalfPrecision.bfloat16($0) }
        default: encode(values.map { integer($0) })
        }
    }

    /// Integers are clamped to the type's range.
    func encode(_ values: [Int]) -> [UInt8] {
        switch self {
        case .int64: bytes(values) { Int64($0) }
        case .int32: bytes(values) { Int32(clamping: $0) }
        case .int16: bytes(values) { Int16(clamping: $0) }
        case .int8: bytes(values) { Int8(clamping: $0) }
        case .uint8: bytes(values) { UInt8(clamping: $0) }
        case .bool: bytes(values) { $0 == 0 ? UInt8(0) : 1 }
        default: values.map(Double.init).withUnsafeBufferPointer { encode($0) }
        }
    }

    private func integer(_ value: Double) -> Int {
        value.isNaN ? 0 : Int(exactly: value.rounded(.toNearestOrEven)) ?? (value < 0 ? .min : .max)
    }

    private func bytes<Values: Collection, Scalar>(_ values: Values, _ convert: (Values.Element) -> Scalar)
        -> [UInt8]
    {
        let size = MemoryLayout<Scalar>.size
        return [UInt8](unsafeUninitializedCapacity: values.count * size) { buffer, count in
            let target = UnsafeMutableRawBufferPointer(buffer)
            for (index, value) in values.enumerated() {
                target.storeBytes(of: convert(value), toByteOffset: index * size, as: Scalar.self)
            }
            count = values.count * size
        }
    }
}
