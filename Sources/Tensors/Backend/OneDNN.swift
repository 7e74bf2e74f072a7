import COneDNN
import Synchronization

/// The calls into oneDNN, all in this file because its C interface changes between major versions (this is 2.x).
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

/// A prepared operation that any number of threads may run at the same time.
///
/// Scratch memory is handed to each call. The library's own belongs to the thread that made the primitive, so two
/// threads running one primitive would compute in the same memory.
final class Primitive: @unchecked Sendable {
    private let primitive: dnnl_primitive_t?
    fileprivate let scratchpad: dnnl_memory_desc_t
    private let scratchpadByteCount: Int

    /// Takes over the descriptor.
    init(_ descriptor: dnnl_primitive_desc_t?, _ what: @autoclosure () -> String) {
        var created: dnnl_primitive_t?
        OneDNN.check(dnnl_primitive_create(&created, descriptor), what())
        primitive = created
        let scratchpad = dnnl_primitive_desc_query_md(descriptor, dnnl_query_scratchpad_md, 0).pointee
        self.scratchpad = scratchpad
        scratchpadByteCount = withUnsafePointer(to: scratchpad) { dnnl_memory_desc_get_size($0) }
        dnnl_primitive_desc_destroy(descriptor)
    }

    deinit { dnnl_primitive_destroy(primitive) }

    fileprivate func makeScratch() -> Storage? {
        scratchpadByteCount > 0 ? Storage(byteCount: scratchpadByteCount) : nil
    }

    fileprivate func execute(_ arguments: [dnnl_exec_arg_t]) {
        OneDNN.check(
            dnnl_primitive_execute(primitive, OneDNN.stream, Int32(arguments.count), arguments), "to run")
    }

    /// Runs on buffers given with their argument number and layout.
    func run(_ buffers: [(Int32, dnnl_memory_desc_t, UnsafeMutableRawPointer)]) {
        let scratch = makeScratch()
        let arguments = buffers + (scratch.map { [(DNNL_ARG_SCRATCHPAD, scratchpad, $0.pointer)] } ?? [])
        withUnsafeTemporaryAllocation(of: dnnl_exec_arg_t.self, capacity: arguments.count) { list in
            for (i, (number, layout, pointer)) in arguments.enumerated() {
                var memory: dnnl_memory_t?
                withUnsafePointer(to: layout) {
                    OneDNN.check(dnnl_memory_create(&memory, $0, OneDNN.engine, pointer), "a buffer")
                }
                list.initializeElement(at: i, to: dnnl_exec_arg_t(arg: number, memory: memory))
            }
            OneDNN.check(
                dnnl_primitive_execute(primitive, OneDNN.stream, Int32(arguments.count), list.baseAddress),
                "to run")
            for argument in list { dnnl_memory_destroy(argument.memory) }
        }
        withExtendedLifetime(scratch) {}
    }
}

/// A primitive on buffers that are named once and change their place from call to call: a call makes no memory. For one
/// thread at a time.
final class PreparedPrimitive {
    private let primitive: Primitive
    private let memories: [dnnl_memory_t?]
    private let arguments: [dnnl_exec_arg_t]
    private let scratch: Storage?

    /// - Parameter buffers: argument numbers, layouts, and the place of those that stay.
    fileprivate init(
        _ primitive: Primitive, _ buffers: [(Int32, dnnl_memory_desc_t, UnsafeMutableRawPointer?)]
    ) {
        self.primitive = primitive
        scratch = primitive.makeScratch()
        let all = buffers + (scratch.map { [(DNNL_ARG_SCRATCHPAD, primitive.scratchpad, $0.pointer)] } ?? [])
        memories = all.map { _, layout, pointer in
            var memory: dnnl_memory_t?
            withUnsafePointer(to: layout) {
                OneDNN.check(dnnl_memory_create(&memory, $0, OneDNN.engine, pointer), "a buffer")
            }
            return memory
        }
        arguments = zip(all, memories).map { dnnl_exec_arg_t(arg: $0.0, memory: $1) }
    }

    deinit { for memory in memories { dnnl_memory_destroy(memory) } }

    /// Moves a buffer.
    fileprivate func place(_ index: Int, _ pointer: UnsafeMutableRawPointer) {
        OneDNN.check(dnnl_memory_set_data_handle(memories[index], pointer), "a buffer's place")
    }

    fileprivate func run() { primitive.execute(arguments) }
}

/// A convolution or its gradient of the input, with its weights, on buffers of a caller. One thread at a time uses it, and
/// hands it to the next under a lock.
final class PreparedConvolution: @unchecked Sendable {
    private let primitive: PreparedPrimitive
    /// Those in the plan's layout; nil where the caller's own are, who keeps them.
    private let weights: Storage?
    /// By whose identity this is found again.
    private let plan: ConvolutionPlan

    fileprivate init(_ plan: ConvolutionPlan, _ primitive: PreparedPrimitive, _ weights: Storage?) {
        (self.plan, self.primitive, self.weights) = (plan, primitive, weights)
    }

    func callAsFunction(_ x: UnsafeRawPointer, _ y: Output) {
        primitive.place(0, UnsafeMutableRawPointer(mutating: x))
        primitive.place(1, UnsafeMutableRawPointer(y))
        primitive.run()
    }
}

/// A convolution or one of its two gradients, prepared for one geometry and thread count.
final class ConvolutionPlan: @unchecked Sendable {
    enum Kind: Hashable { case forward, backwardData, backwardWeights }

    /// What is multiplied.
    enum Operands {
        case floats(ProductPrecision)
        /// 8-bit integers, forward alone: sums are 32-bit integers, exact in any order, and get a factor for each output.
        case integers(InputQuantization, scales: [Float])

        var source: dnnl_data_type_t {
            switch self {
            case .floats(let precision): precision == .bfloat16 ? dnnl_bf16 : dnnl_f32
            case .integers(let input, _): input.isSigned ? dnnl_s8 : dnnl_u8
            }
        }
        var weight: dnnl_data_type_t { scales == nil ? source : dnnl_s8 }
        /// What the weights are before they are packed.
        var storedWeight: dnnl_data_type_t { scales == nil ? dnnl_f32 : dnnl_s8 }
        var scales: [Float]? {
            if case .integers(_, let scales) = self { scales } else { nil }
        }
    }

    private let primitive: Primitive
    private let kind: Kind
    private let source: dnnl_memory_desc_t
    private let target: dnnl_memory_desc_t
    private let bias: dnnl_memory_desc_t
    private let plainWeight: dnnl_memory_desc_t
    private let packedWeight: dnnl_memory_desc_t
    private let packedByteCount: Int
    private let packedLayout: Int
    private let reorder: Primitive?
    let implementation: String

    /// - Parameters:
    ///   - operands: of the products; what comes out is float32.
    ///   - threads: that will run it.
    init(
        _ g: ConvolutionGeometry, _ kind: Kind, hasBias: Bool, _ activation: ConvolutionActivation = .none,
        _ operands: Operands = .floats(.float32), threads: Int = ComputeThreads.count
    ) {
        self.kind = kind
        let operand = operands.source
        source = OneDNN.descriptor(
            [g.batch, g.inputChannels, g.height, g.width], dnnl_nhwc,
            kind == .backwardData ? dnnl_f32 : operand)
        target = OneDNN.descriptor(
            [g.batch, g.outputChannels, g.outputHeight, g.outputWidth], dnnl_nhwc,
            kind == .forward ? dnnl_f32 : operand)
        bias = OneDNN.descriptor([g.outputChannels], dnnl_a)
        let (input, output) = (g.inputChannels / g.groups, g.outputChannels / g.groups)
        let extents =
            g.groups > 1
            ? [g.groups, output, input, g.kernelHeight, g.kernelWidth]
            : [output, input, g.kernelHeight, g.kernelWidth]
        plainWeight = OneDNN.descriptor(
            extents, g.groups > 1 ? dnnl_goihw : dnnl_oihw, operands.storedWeight)
        let anyWeight = OneDNN.descriptor(
            extents, dnnl_format_tag_any, kind == .backwardWeights ? dnnl_f32 : operands.weight)

        let attributes = OneDNN.attributes(activation, scales: operands.scales)
        defer { dnnl_primitive_attr_destroy(attributes) }
        // Weights are packed on all threads, whoever multiplies by them.
        let available = ComputeThreads.count
        ComputeThreads.setCount(threads)
        let descriptor = Self.primitiveDescriptor(
            g, kind, attributes, source: source, weight: anyWeight, bias: hasBias ? bias : nil,
            target: target, operand: operand)
        implementation = OneDNN.implementationName(descriptor)
        let query = kind == .backwardWeights ? dnnl_query_diff_weights_md : dnnl_query_weights_md
        let packed = dnnl_primitive_desc_query_md(descriptor, query, 0).pointee
        packedWeight = packed
        packedByteCount = withUnsafePointer(to: packed) { dnnl_memory_desc_get_size($0) }
        packedLayout = PackedLayouts.shared.identifier(packed)

        primitive = Primitive(descriptor, "a convolution \(g)")
        ComputeThreads.setCount(available)
        reorder =
            kind == .backwardWeights
            ? OneDNN.reorder(from: packed, to: plainWeight) : OneDNN.reorder(from: plainWeight, to: packed)
    }

    private static func primitiveDescriptor(
        _ g: ConvolutionGeometry, _ kind: Kind, _ attributes: dnnl_primitive_attr_t?,
        source: dnnl_memory_desc_t, weight: dnnl_memory_desc_t, bias: dnnl_memory_desc_t?,
        target: dnnl_memory_desc_t, operand: dnnl_data_type_t
    ) -> dnnl_primitive_desc_t? {
        let stride = [dnnl_dim_t](repeating: dnnl_dim_t(g.stride), count: 2)
        let dilation = [dnnl_dim_t](repeating: dnnl_dim_t(g.dilation - 1), count: 2)
        let padding = [dnnl_dim_t](repeating: dnnl_dim_t(g.padding), count: 2)
        var (source, weight, target) = (source, weight, target)
        var biasOrNone = bias ?? dnnl_memory_desc_t()
        return withUnsafeMutablePointer(to: &biasOrNone) { pointer in
            let bias = bias == nil ? nil : UnsafePointer(pointer)
            func forward(_ kind: dnnl_prop_kind_t) -> dnnl_primitive_desc_t? {
                var operation = dnnl_convolution_desc_t()
                // As a hint for a gradient, all three are of the operands' type.
                if kind == dnnl_forward_training {
                    (source.data_type, weight.data_type, target.data_type) = (operand, operand, operand)
                }
                OneDNN.check(
                    dnnl_dilated_convolution_forward_desc_init(
                        &operation, kind, dnnl_convolution_direct, &source, &weight, bias, &target, stride,
                        dilation,
                        padding, padding), "\(g)")
                return create(&operation, hint: nil)
            }
            func create(_ operation: UnsafeRawPointer, hint: dnnl_primitive_desc_t?) -> dnnl_primitive_desc_t?
            {
                var result: dnnl_primitive_desc_t?
                OneDNN.check(
                    dnnl_primitive_desc_create(
                        &result, operation, attributes, OneDNN.engine, hint), "\(g)")
                return result
            }
            if kind == .forward { return forward(dnnl_forward_inference) }
            let (gradientSource, gradientWeight, gradientTarget) = (source, weight, target)
            let hint = forward(dnnl_forward_training)
            (source, weight, target) = (gradientSource, gradientWeight, gradientTarget)
            defer { dnnl_primitive_desc_destroy(hint) }
            var operation = dnnl_convolution_desc_t()
            if kind == .backwardData {
                OneDNN.check(
                    dnnl_dilated_convolution_backward_data_desc_init(
                        &operation, dnnl_convolution_direct, &source, &weight, &target, stride, dilation,
                        padding,
                        padding), "\(g)")
            } else {
                OneDNN.check(
                    dnnl_dilated_convolution_backward_weights_desc_init(
                        &operation, dnnl_convolution_direct, &source, &weight, bias, &target, stride,
                        dilation,
                        padding, padding), "\(g)")
            }
            return create(&operation, hint: hint)
        }
    }

    /// The weights in this plan's layout, packed once and kept beside them until they change.
    private func packed(_ weight: WeightBuffer) -> Storage {
        guard let reorder else { return weight.storage }
        let key = PackKey(layout: packedLayout, offset: weight.offset)
        return weight.storage.packed(key) {
            let result = Storage(byteCount: packedByteCount)
            reorder.run([
                (DNNL_ARG_FROM, plainWeight, UnsafeMutableRawPointer(mutating: weight.pointer)),
                (DNNL_ARG_TO, packedWeight, result.pointer),
            ])
            return result
        }
    }

    private func pointer(_ packed: Storage, _ weight: WeightBuffer) -> UnsafeMutableRawPointer {
        reorder == nil ? UnsafeMutableRawPointer(mutating: weight.pointer) : packed.pointer
    }

    /// This convolution, or its gradient of the input, for many calls by one thread.
    func prepared(_ weight: WeightBuffer, _ biasValues: Input?) -> PreparedConvolution {
        precondition(kind != .backwardWeights, "a gradient of weights has none to prepare")
        let packed = packed(weight)
        var buffers: [(Int32, dnnl_memory_desc_t, UnsafeMutableRawPointer?)] =
            kind == .forward
            ? [(DNNL_ARG_SRC, source, nil), (DNNL_ARG_DST, target, nil)]
            : [(DNNL_ARG_DIFF_DST, target, nil), (DNNL_ARG_DIFF_SRC, source, nil)]
        buffers.append((DNNL_ARG_WEIGHTS, packedWeight, pointer(packed, weight)))
        if kind == .forward, let biasValues {
            buffers.append((DNNL_ARG_BIAS, bias, UnsafeMutableRawPointer(mutating: biasValues)))
        }
        return PreparedConvolution(
            self, PreparedPrimitive(primitive, buffers), reorder == nil ? nil : packed)
    }

    func forward(_ x: UnsafeRawPointer, _ weight: WeightBuffer, _ biasValues: Input?, _ y: Output) {
        let packed = packed(weight)
        var arguments: [(Int32, dnnl_memory_desc_t, UnsafeMutableRawPointer)] = [
            (DNNL_ARG_SRC, source, UnsafeMutableRawPointer(mutating: x)),
            (DNNL_ARG_WEIGHTS, packedWeight, pointer(packed, weight)),
            (DNNL_ARG_DST, target, UnsafeMutableRawPointer(y)),
        ]
        if let biasValues {
            arguments.append((DNNL_ARG_BIAS, bias, UnsafeMutableRawPointer(mutating: biasValues)))
        }
        primitive.run(arguments)
        withExtendedLifetime(packed) {}
    }

    func backwardData(_ dy: UnsafeRawPointer, _ weight: WeightBuffer, _ dx: Output) {
        let packed = packed(weight)
        defer { withExtendedLifetime(packed) {} }
        primitive.run(
            [
                (DNNL_ARG_DIFF_DST, target, UnsafeMutableRawPointer(mutating: dy)),
                (DNNL_ARG_WEIGHTS, packedWeight, pointer(packed, weight)),
                (DNNL_ARG_DIFF_SRC, source, UnsafeMutableRawPointer(dx)),
            ])
    }

    func backwardWeights(_ x: UnsafeRawPointer, _ dy: UnsafeRawPointer, dWeight: Output, dBias: Output?) {
        let result = reorder == nil ? nil : Storage(byteCount: packedByteCount)
        let pointer = result?.pointer ?? UnsafeMutableRawPointer(dWeight)
        var arguments: [(Int32, dnnl_memory_desc_t, UnsafeMutableRawPointer)] = [
            (DNNL_ARG_SRC, source, UnsafeMutableRawPointer(mutating: x)),
            (DNNL_ARG_DIFF_DST, target, UnsafeMutableRawPointer(mutating: dy)),
            (DNNL_ARG_DIFF_WEIGHTS, packedWeight, pointer),
        ]
        if let dBias { arguments.append((DNNL_ARG_DIFF_BIAS, bias, UnsafeMutableRawPointer(dBias))) }
        primitive.run(arguments)
        guard let reorder else { return }
        reorder.run(
            [
                (DNNL_ARG_FROM, packedWeight, pointer),
                (DNNL_ARG_TO, plainWeight, UnsafeMutableRawPointer(dWeight)),
            ])
    }
}

/// Numbers for the weight layouts in use, so that plans with the same layout share one packed copy.
private final class PackedLayouts: Sendable {
    static let shared = PackedLayouts()
    private struct Known: @unchecked Sendable { var layouts: [dnnl_memory_desc_t] = [] }
    private let known = Mutex(Known())

    func identifier(_ layout: dnnl_memory_desc_t) -> Int {
        known.withLock { known in
            var layout = layout
            for (i, var other) in known.layouts.enumerated()
            where dnnl_memory_desc_equal(&layout, &other) != 0 {
                return i
            }
            known.layouts.append(layout)
            return known.layouts.count - 1
        }
    }
}
