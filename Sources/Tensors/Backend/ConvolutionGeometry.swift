/// The extents of a 2-D convolution: everything a kernel is chosen by.
public struct ConvolutionGeometry: Hashable, Sendable {
    public var batch: Int
    public var height: Int
    public var width: Int
    public var inputChannels: Int
    public var outputChannels: Int
    public var kernelHeight: Int
    public var kernelWidth: Int
    public var stride: Int
    public var padding: Int
    public var dilation: Int
    public var groups: Int

    public var outputHeight: Int {
        (height + 2 * padding - dilation * (kernelHeight - 1) - 1) / stride + 1
    }

    public var outputWidth: Int {
        (width + 2 * padding - dilation * (kernelWidth - 1) - 1) / stride + 1
    }

    /// Of the results, channels last.
    var outputShape: Shape { [batch, outputHeight, outputWidth, outputChannels] }

    /// A 1×1 kernel that only mixes channels: a matrix product over pixels.
    var isPointwise: Bool {
        kernelHeight == 1 && kernelWidth == 1 && stride == 1 && padding == 0 && groups == 1
    }
}

/// Convolution weights `[O, I/groups, kh, kw]`, with the storage whose packed forms can be kept beside them.
struct WeightBuffer {
    let storage: Storage
    let offset: Int
    /// Used for one convolution only, so that no work on the weights pays.
    var isTransient = false

    var pointer: Input { UnsafePointer(storage.floats(offset: offset)) }
}

extension ConvolutionGeometry {
    /// A linear layer as a pointwise convolution of one column.
    init(rows: Int, inputs: Int, outputs: Int) {
        self.init(
            batch: 1, height: rows, width: 1, inputChannels: inputs, outputChannels: outputs, kernelHeight: 1,
            kernelWidth: 1, stride: 1, padding: 0, dilation: 1, groups: 1)
    }
}
