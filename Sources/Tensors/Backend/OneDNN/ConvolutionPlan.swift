import COneDNN
import Synchronization

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

    /// This convolution, or its gradient of the input, for many calls by one thread at a time.
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
        return PreparedConvolution(PreparedPrimitive(primitive, buffers), packed)
    }

    func forward(_ x: UnsafeRawPointer, _ weight: WeightBuffer, _ biasValues: Input?, _ y: Output) {
        let call = prepared(weight, biasValues)
        perform { call(x, y) }
    }

    func backwardData(_ dy: UnsafeRawPointer, _ weight: WeightBuffer, _ dx: Output) {
        let call = prepared(weight, nil)
        perform { call(dy, dx) }
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

/// A convolution or its gradient of the input, with its weights, on buffers of a caller. For one thread at a time.
final class PreparedConvolution {
    private let primitive: PreparedPrimitive
    private let weights: Storage

    init(_ primitive: PreparedPrimitive, _ weights: Storage) {
        (self.primitive, self.weights) = (primitive, weights)
    }

    func callAsFunction(_ x: UnsafeRawPointer, _ y: Output) {
        primitive.place(0, UnsafeMutableRawPointer(mutating: x))
        primitive.place(1, UnsafeMutableRawPointer(y))
        primitive.run()
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
