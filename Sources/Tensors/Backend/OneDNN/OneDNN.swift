import COneDNN

/// The calls into oneDNN, all in this folder because its C interface changes between major versions (this is 2.x).
/// Here: the engine, attributes, layouts and plain matrix products.
enum OneDNN {
    /// The processor engine and a stream on it. Streams of the processor engine run each primitive to its end
    /// before they return, so one serves all threads.
    private struct Runtime: @unchecked Sendable {
        var engine: dnnl_engine_t?
        var stream: dnnl_stream_t?
        var plain: dnnl_primitive_attr_t?
        var relu: dnnl_primitive_attr_t?
        var gelu: dnnl_primitive_attr_t?

        init() {
            check(dnnl_engine_create(&engine, dnnl_cpu, 0), "engine")
            check(dnnl_stream_create(&stream, engine, UInt32(dnnl_stream_default_flags.rawValue)), "stream")
            plain = Self.attributes(nil)
            relu = Self.attributes(dnnl_eltwise_relu)
            gelu = Self.attributes(dnnl_eltwise_gelu_erf)
        }

        private static func attributes(_ activation: dnnl_alg_kind_t?) -> dnnl_primitive_attr_t? {
            var result: dnnl_primitive_attr_t?
            check(dnnl_primitive_attr_create(&result), "attributes")
            check(
                dnnl_primitive_attr_set_scratchpad_mode(result, dnnl_scratchpad_mode_user),
                "a scratchpad mode")
            guard let activation else { return result }
            var operations: dnnl_post_ops_t?
            check(dnnl_post_ops_create(&operations), "post-operations")
            check(dnnl_post_ops_append_eltwise(operations, 1, activation, 0, 0), "an activation")
            check(dnnl_primitive_attr_set_post_ops(result, operations), "post-operations")
            dnnl_post_ops_destroy(operations)
            return result
        }
    }

    private static let runtime = Runtime()
    static var engine: dnnl_engine_t? { runtime.engine }
    static var stream: dnnl_stream_t? { runtime.stream }
    /// Asks for primitives whose scratch memory is handed to each call.
    static var attributes: dnnl_primitive_attr_t? { runtime.plain }

    /// The same, with an activation of the results.
    static func attributes(_ activation: ConvolutionActivation) -> dnnl_primitive_attr_t? {
        switch activation {
        // A gate halves the channels, which is no attribute.
        case .none, .simpleGate: runtime.plain
        case .relu: runtime.relu
        case .gelu: runtime.gelu
        }
    }

    /// The same as a copy that the caller destroys, with a factor on each output's sum.
    /// - Parameter scales: one for each output; nil for none.
    static func attributes(_ activation: ConvolutionActivation, scales: [Float]?) -> dnnl_primitive_attr_t? {
        var result: dnnl_primitive_attr_t?
        check(dnnl_primitive_attr_clone(&result, attributes(activation)), "attributes")
        guard let scales else { return result }
        check(
            dnnl_primitive_attr_set_output_scales(result, dnnl_dim_t(scales.count), 1 << 1, scales), "scales")
        return result
    }

    /// Attributes of a primitive that adds to its target instead of overwriting it; the caller destroys them.
    static func addingAttributes() -> dnnl_primitive_attr_t? {
        var result: dnnl_primitive_attr_t?
        check(dnnl_primitive_attr_clone(&result, attributes), "attributes")
        var operations: dnnl_post_ops_t?
        check(dnnl_post_ops_create(&operations), "post-operations")
        check(dnnl_post_ops_append_sum(operations, 1), "a sum")
        check(dnnl_primitive_attr_set_post_ops(result, operations), "post-operations")
        dnnl_post_ops_destroy(operations)
        return result
    }

    static func check(_ status: dnnl_status_t, _ what: @autoclosure () -> String) {
        precondition(status == dnnl_success, "oneDNN refused \(what()): status \(status.rawValue)")
    }

    /// Row-major c[m,n] = op(a)·op(b) + beta·c.
    static func matrixProduct(
        _ a: Input, _ transposeA: Bool, _ b: Input, _ transposeB: Bool, _ c: Output, m: Int, n: Int, k: Int,
        beta: Float
    ) {
        guard m > 0, n > 0 else { return }
        guard k > 0 else { return scale(c, rows: m, columns: n, stride: n, by: beta) }
        let status = dnnl_sgemm(
            transposeA ? 84 : 78, transposeB ? 84 : 78, dnnl_dim_t(m), dnnl_dim_t(n), dnnl_dim_t(k), 1, a,
            dnnl_dim_t(transposeA ? m : k), b, dnnl_dim_t(transposeB ? k : n), beta, c, dnnl_dim_t(n))
        check(status, "a matrix product \(m)×\(k)×\(n)")
    }

    /// beta·c, which is what is left where a product sums nothing: the library would leave c as it is.
    private static func scale(_ c: Output, rows: Int, columns: Int, stride: Int, by beta: Float) {
        for row in 0..<rows {
            for column in 0..<columns {
                c[row * stride + column] = beta == 0 ? 0 : beta * c[row * stride + column]
            }
        }
    }

    /// Row-major c = scale·op(a)·op(b) + beta·c on matrices whose rows are further apart than they are long.
    static func stridedProduct(
        _ a: Input, _ transposeA: Bool, _ strideA: Int, _ b: Input, _ transposeB: Bool, _ strideB: Int,
        _ c: Output,
        _ strideC: Int, m: Int, n: Int, k: Int, scale: Float, beta: Float
    ) {
        guard m > 0, n > 0 else { return }
        guard k > 0 else { return Self.scale(c, rows: m, columns: n, stride: strideC, by: beta) }
        let status = dnnl_sgemm(
            transposeA ? 84 : 78, transposeB ? 84 : 78, dnnl_dim_t(m), dnnl_dim_t(n), dnnl_dim_t(k), scale, a,
            dnnl_dim_t(strideA), b, dnnl_dim_t(strideB), beta, c, dnnl_dim_t(strideC))
        check(status, "a strided matrix product \(m)×\(k)×\(n)")
    }

    /// c += aᵀ·b with a [rows, outputs] and b [rows, inputs], c [outputs, inputs]; the first time c is overwritten.
    static func addOuterProducts(
        _ a: UnsafeRawPointer, _ b: UnsafeRawPointer, into c: Output, rows: Int, outputs: Int, inputs: Int,
        _ precision: ProductPrecision, isFirst: Bool
    ) {
        if precision == .float32 {
            return matrixProduct(
                a.assumingMemoryBound(to: Float.self), true, b.assumingMemoryBound(to: Float.self), false, c,
                m: outputs, n: inputs, k: rows, beta: isFirst ? 0 : 1)
        }
        if isFirst { c.update(repeating: 0, count: outputs * inputs) }
        OuterProductPlanCache.shared.plan(rows: rows, outputs: outputs, inputs: inputs).add(a, b, into: c)
    }

    static func descriptor(
        _ dimensions: [Int], _ tag: dnnl_format_tag_t, _ type: dnnl_data_type_t = dnnl_f32
    ) -> dnnl_memory_desc_t {
        var result = dnnl_memory_desc_t()
        let extents = dimensions.map(dnnl_dim_t.init)
        check(
            dnnl_memory_desc_init_by_tag(&result, Int32(extents.count), extents, type, tag),
            "a layout of \(dimensions)")
        return result
    }

    /// A primitive that changes the layout, or nil when both are the same bytes.
    static func reorder(from: dnnl_memory_desc_t, to: dnnl_memory_desc_t) -> Primitive? {
        var (from, to) = (from, to)
        if dnnl_memory_desc_equal(&from, &to) != 0 { return nil }
        var descriptor: dnnl_primitive_desc_t?
        OneDNN.check(
            dnnl_reorder_primitive_desc_create(
                &descriptor, &from, OneDNN.engine, &to, OneDNN.engine, OneDNN.attributes),
            "a weight layout")
        return Primitive(descriptor, "a weight layout")
    }

    /// The name of the implementation a primitive uses, such as `brgconv:avx512_core`; `ref` is a defect.
    static func implementationName(_ descriptor: const_dnnl_primitive_desc_t?) -> String {
        var name: UnsafePointer<CChar>?
        check(
            dnnl_primitive_desc_query(descriptor, dnnl_query_impl_info_str, 0, &name),
            "an implementation name")
        return name.map { String(cString: $0) } ?? "unknown"
    }
}
