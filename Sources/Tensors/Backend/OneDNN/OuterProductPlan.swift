import COneDNN
import Synchronization

/// c += aᵀ·b on one thread, factors in bfloat16 and sums in float32, prepared for one size.
final class OuterProductPlan: Sendable {
    private struct Layouts: @unchecked Sendable {
        var a: dnnl_memory_desc_t
        var b: dnnl_memory_desc_t
        var c: dnnl_memory_desc_t
    }

    private let layouts: Layouts
    private let primitive: Primitive

    init(rows: Int, outputs: Int, inputs: Int) {
        let layouts = Layouts(
            a: OneDNN.descriptor([outputs, rows], dnnl_ba, dnnl_bf16),
            b: OneDNN.descriptor([rows, inputs], dnnl_ab, dnnl_bf16),
            c: OneDNN.descriptor([outputs, inputs], dnnl_ab))
        let attributes = OneDNN.addingAttributes()
        defer { dnnl_primitive_attr_destroy(attributes) }
        let available = ComputeThreads.count
        ComputeThreads.setCount(1)
        defer { ComputeThreads.setCount(available) }
        var (a, b, c) = (layouts.a, layouts.b, layouts.c)
        var operation = dnnl_matmul_desc_t()
        var descriptor: dnnl_primitive_desc_t?
        let what = "a product of bfloat16 matrices, \(outputs)×\(rows)×\(inputs)"
        OneDNN.check(dnnl_matmul_desc_init(&operation, &a, &b, nil, &c), what)
        OneDNN.check(
            dnnl_primitive_desc_create(&descriptor, &operation, attributes, OneDNN.engine, nil), what)
        primitive = Primitive(descriptor, what)
        self.layouts = layouts
    }

    func add(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer, into c: Output) {
        primitive.run([
            (DNNL_ARG_SRC, layouts.a, UnsafeMutableRawPointer(mutating: a)),
            (DNNL_ARG_WEIGHTS, layouts.b, UnsafeMutableRawPointer(mutating: b)),
            (DNNL_ARG_DST, layouts.c, UnsafeMutableRawPointer(c)),
        ])
    }
}

/// Prepared products by size.
final class OuterProductPlanCache: Sendable {
    static let shared = OuterProductPlanCache()

    private struct Key: Hashable {
        var rows: Int
        var outputs: Int
        var inputs: Int
    }

    private let plans = Mutex(BoundedCache<Key, OuterProductPlan>(limit: 2048))

    func plan(rows: Int, outputs: Int, inputs: Int) -> OuterProductPlan {
        let key = Key(rows: rows, outputs: outputs, inputs: inputs)
        return plans.withLock {
            $0.value(key) { OuterProductPlan(rows: rows, outputs: outputs, inputs: inputs) }
        }
    }
}
