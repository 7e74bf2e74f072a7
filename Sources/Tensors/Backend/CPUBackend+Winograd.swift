import CKernels

extension ConvolutionGeometry {
    /// Whether Winograd's method (F(4×4, 3×3), arXiv 1509.09308) computes this convolution and its gradient of the
    /// input: a quarter of the multiplications, about three times as fast as the direct method.
    ///
    /// Decided by the extents of one image, never by the batch, so that a sample's result is the same in any batch.
    var suitsWinograd: Bool {
        kernelHeight == 3 && kernelWidth == 3 && stride == 1 && dilation == 1 && groups == 1
            && (0...2).contains(padding) && inputChannels % 16 == 0 && outputChannels % 16 == 0
            // Transformed weights take four times the memory.
            && inputChannels * outputChannels <= 1 << 19
            && tileCount * 4 <= outputHeight * outputWidth && CPUBackend.hasWinograd
    }

    /// Whether the gradient of the weights, whose fixed cost is that of four weight tensors, gains as well.
    var suitsWinogradGradient: Bool { suitsWinograd && batch * tileCount >= 32 }

    /// Tiles of 4×4 results that cover one image.
    private var tileCount: Int { ((outputHeight + 3) / 4) * ((outputWidth + 3) / 4) }

    fileprivate var winograd: sfumato_winograd {
        sfumato_winograd(
            batch: Int64(batch), height: Int64(height), width: Int64(width), inputs: Int64(inputChannels),
            outputs: Int64(outputChannels), padding: Int64(padding))
    }

    /// The convolution that leads from the gradient of the result to that of the input.
    fileprivate var transposed: sfumato_winograd {
        sfumato_winograd(
            batch: Int64(batch), height: Int64(outputHeight), width: Int64(outputWidth),
            inputs: Int64(outputChannels), outputs: Int64(inputChannels), padding: Int64(2 - padding))
    }
}

extension CPUBackend {
    static let hasWinograd = sfumato_winograd_is_available() != 0

    /// Transformed weights, kept beside them until they change.
    private func transformed(_ g: ConvolutionGeometry, _ weight: WeightBuffer, transposed: Bool) -> Storage {
        weight.storage.packed(PackKey(layout: transposed ? -2 : -1, offset: weight.offset)) {
            let (inputs, outputs) = (Int64(g.inputChannels), Int64(g.outputChannels))
            let result = Storage(byteCount: 4 * Int(sfumato_winograd_packed_count(inputs, outputs)))
            sfumato_winograd_pack(weight.pointer, result.floats(), inputs, outputs, transposed ? 1 : 0)
            return result
        }
    }

    func winogradConvolution(
        _ g: ConvolutionGeometry, _ x: Input, weight: WeightBuffer, bias: Input?, isRectified: Bool,
        _ y: Output
    ) {
        var shape = g.winograd
        let packed = transformed(g, weight, transposed: false)
        let scratch = Storage(byteCount: 4 * Int(sfumato_winograd_scratch_count(&shape)))
        perform { [shape] in
            withUnsafePointer(to: shape) {
                sfumato_winograd_forward(
                    $0, x, packed.floats(), bias, isRectified ? 1 : 0, y, scratch.floats())
            }
        }
    }

    func winogradBackwardData(_ g: ConvolutionGeometry, _ dy: Input, weight: WeightBuffer, _ dx: Output) {
        var shape = g.transposed
        let packed = transformed(g, weight, transposed: true)
        let scratch = Storage(byteCount: 4 * Int(sfumato_winograd_scratch_count(&shape)))
        perform { [shape] in
            withUnsafePointer(to: shape) {
                sfumato_winograd_forward($0, dy, packed.floats(), nil, 0, dx, scratch.floats())
            }
        }
    }

    func winogradBackwardWeights(
        _ g: ConvolutionGeometry, _ x: Input, _ dy: Input, dWeight: Output, dBias: Output?
    ) {
        var shape = g.winograd
        let scratch = Storage(byteCount: 4 * Int(sfumato_winograd_gradient_scratch_count(&shape)))
        sfumato_winograd_weight_gradient(&shape, x, dy, dWeight, scratch.floats())
        withExtendedLifetime(scratch) {}
        guard let dBias else { return }
        let rows = g.batch * g.outputHeight * g.outputWidth
        sumRows(dy, nil, dBias, layout: ChannelLayout(samples: 1, rows: rows, channels: g.outputChannels))
    }
}
