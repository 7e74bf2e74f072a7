import COneDNN

/// A convolution of 8-bit integers, prepared for one geometry, thread count and set of scales. Sums are 32-bit integers,
/// exact in any order; what comes out is float32.
final class IntegerConvolutionPlan: @unchecked Sendable {
    private let primitive: Primitive
    private let source: dnnl_memory_desc_t
    private let target: dnnl_memory_desc_t
    private let bias: dnnl_memory_desc_t
    private let plainWeight: dnnl_memory_desc_t
    private let packedWeight: dnnl_memory_desc_t
    private let packedByteCount: Int
    private let packedLayout: Int
    private let reorder: Primitive?
    let implementation: String

    /// - Parameter scales: of the weights, one for each output.
    init(
        _ g: ConvolutionGeometry, scales: [Float], input: InputQuantization,
        _ activation: ConvolutionActivation
    ) {
        source = OneDNN.descriptor(
            [g.batch, g.inputChannels, g.height, g.width], dnnl_nhwc, input.isSigned ? dnnl_s8 : dnnl_u8)
        target = OneDNN.descriptor(
            [g.batch, g.outputChannels, g.outputHeight, g.outputWidth], dnnl_nhwc)
        bias = OneDNN.descriptor([g.outputChannels], dnnl_a)
        let extents = [g.outputChannels, g.inputChannels, g.kernelHeight, g.kernelWidth]
        plainWeight = OneDNN.descriptor(extents, dnnl_oihw, dnnl_s8)
        let descriptor = Self.primitiveDescriptor(
            g, source: source, weight: OneDNN.descriptor(extents, dnnl_format_tag_any, dnnl_s8), bias: bias,
            target: target, scales: scales.map { $0 * input.scale }, activation)
        implementation = OneDNN.implementationName(descriptor)
        let packed = dnnl_primitive_desc_query_md(descriptor, dnnl_query_weights_md, 0).pointee
        packedWeight = packed
        packedByteCount = withUnsafePointer(to: packed) { dnnl_memory_desc_get_size($0) }
        packedLayout = PackedLayouts.shared.identifier(packed)
        primitive = Primitive(descriptor, "a convolution of integers \(g)")
        reorder = OneDNN.reorder(from: plainWeight, to: packed)
    }

    private static func primitiveDescriptor(
        _ g: ConvolutionGeometry, source: dnnl_memory_desc_t, weight: dnnl_memory_desc_t,
        bias: dnnl_memory_desc_t, target: dnnl_memory_desc_t, scales: [Float],
        _ activation: ConvolutionActivation
    ) -> dnnl_primitive_desc_t? {
        let attributes = OneDNN.attributes(scales: scales, activation)
        defer { dnnl_primitive_attr_destroy(attributes) }
        let stride = [dnnl_dim_t](repeating: dnnl_dim_t(g.stride), count: 2)
        let dilation = [dnnl_dim_t](repeating: dnnl_dim_t(g.dilation - 1), count: 2)
        let padding = [dnnl_dim_t](repeating: dnnl_dim_t(g.padding), count: 2)
        var (source, weight, bias, target) = (source, weight, bias, target)
        var operation = dnnl_convolution_desc_t()
        OneDNN.check(
            dnnl_dilated_convolution_forward_desc_init(
                &operation, dnnl_forward_inference, dnnl_convolution_direct, &source, &weight, &bias, &target,
                stride, dilation, padding, padding), "integers in \(g)")
        var result: dnnl_primitive_desc_t?
        OneDNN.check(
            dnnl_primitive_desc_create(&result, &operation, attributes, OneDNN.engine, nil),
            "integers in \(g)")
        return result
    }

    private func packed(_ weights: QuantizedWeights) -> Storage {
        weights.packed(packedLayout) {
            let plain = Storage(byteCount: weights.integers.count)
            weights.integers.withUnsafeBytes {
                UnsafeMutableRawBufferPointer(start: plain.pointer, count: $0.count).copyMemory(from: $0)
            }
            guard let reorder else { return plain }
            let result = Storage(byteCount: packedByteCount)
            reorder.run([
                (DNNL_ARG_FROM, plainWeight, plain.pointer), (DNNL_ARG_TO, packedWeight, result.pointer),
            ])
            return result
        }
    }

    /// - Parameter offsets: O numbers that are added to the integers' sums.
    func forward(_ x: Storage, _ weights: QuantizedWeights, _ offsets: Storage, _ y: Output) {
        let packed = packed(weights)
        primitive.run([
            (DNNL_ARG_SRC, source, x.pointer), (DNNL_ARG_WEIGHTS, packedWeight, packed.pointer),
            (DNNL_ARG_BIAS, bias, offsets.pointer), (DNNL_ARG_DST, target, UnsafeMutableRawPointer(y)),
        ])
        withExtendedLifetime((x, packed, offsets)) {}
    }
}

extension OneDNN {
    /// Attributes of a product of integers: a factor on each output's sum, then an activation.
    fileprivate static func attributes(scales: [Float], _ activation: ConvolutionActivation)
        -> dnnl_primitive_attr_t?
    {
        var result: dnnl_primitive_attr_t?
        check(dnnl_primitive_attr_clone(&result, attributes(activation)), "attributes")
        check(
            dnnl_primitive_attr_set_output_scales(result, dnnl_dim_t(scales.count), 1 << 1, scales), "scales")
        return result
    }
}
