import Tensors

extension Image {
    /// The image at another size, equal to Pillow's `Image.resize` in every byte.
    ///
    /// 8-bit images with alpha are resampled premultiplied, as Pillow does, so that transparent pixels lend no colour.
    public func resized(
        width: Int, height: Int, filter: ResizeFilter = .lanczos, order: ResizeOrder = .horizontalFirst
    ) -> Image {
        precondition(width > 0 && height > 0, "an image cannot be resized to \(width)×\(height)")
        guard (width, height) != (self.width, self.height) else { return self }
        let size = (height: height, width: width)
        let resized: Samples =
            switch samples {
            case .eightBit(let values):
                if hasAlpha && filter != .nearest {
                    .eightBit(
                        unpremultiplied(resample(premultiplied(values), to: size, filter, order) { $0($1) }))
                } else {
                    .eightBit(resample(values, to: size, filter, order) { $0($1) })
                }
            case .sixteenBit(let values): .sixteenBit(resample(values, to: size, filter, order) { $0($1) })
            }
        var image = Image(width: width, height: height, channels: channels, samples: resized)
        image.texts = texts
        return image
    }

    private func resample<Sample>(
        _ values: [Sample], to size: (height: Int, width: Int), _ filter: ResizeFilter, _ order: ResizeOrder,
        run: (ResamplePass, [Sample]) -> [Sample]
    ) -> [Sample] {
        resampled(
            values, shape: (height, width, channels), to: size, filter: filter, order: order, run: run)
    }

    private func premultiplied(_ values: [UInt8]) -> [UInt8] {
        mapColors(values) { color, alpha in UInt8(dividedBy255(UInt32(color) * UInt32(alpha))) }
    }

    private func unpremultiplied(_ values: [UInt8]) -> [UInt8] {
        mapColors(values) { color, alpha in
            alpha == 0 || alpha == 255 ? color : UInt8(clamping: 255 * Int(color) / Int(alpha))
        }
    }

    private func mapColors(_ values: [UInt8], _ transform: (UInt8, UInt8) -> UInt8) -> [UInt8] {
        var mapped = values
        for alpha in stride(from: channels - 1, to: values.count, by: channels) {
            for color in (alpha - channels + 1)..<alpha {
                mapped[color] = transform(values[color], values[alpha])
            }
        }
        return mapped
    }
}

extension Tensor {
    /// An image `[H, W, C]` of floats at another size, as Pillow resizes mode `F`: no clamp, single precision
    /// after each pass. The result carries no derivative.
    public func resampled(
        height: Int, width: Int, filter: ResizeFilter = .bicubic, order: ResizeOrder = .horizontalFirst
    ) -> Tensor {
        precondition(shape.rank == 3, "resampling takes an image [H, W, C], not \(shape)")
        let values = Images.resampled(
            scalars, shape: (shape[0], shape[1], shape[2]), to: (height, width), filter: filter, order: order
        ) { $0($1) }
        return Tensor(shape: [height, width, shape[2]], scalars: values)
    }
}

/// Both passes over `[height, width, channels]`; a pass that changes nothing is skipped.
func resampled<Sample>(
    _ values: [Sample], shape: (height: Int, width: Int, channels: Int), to size: (height: Int, width: Int),
    filter: ResizeFilter, order: ResizeOrder, run: (ResamplePass, [Sample]) -> [Sample]
) -> [Sample] {
    func horizontal(_ values: [Sample], height: Int) -> [Sample] {
        guard size.width != shape.width else { return values }
        let pass = ResamplePass(
            outer: height, from: shape.width, to: size.width, inner: shape.channels,
            weights: ResampleWeights(from: shape.width, to: size.width, filter: filter))
        return run(pass, values)
    }
    func vertical(_ values: [Sample], width: Int) -> [Sample] {
        guard size.height != shape.height else { return values }
        let pass = ResamplePass(
            outer: 1, from: shape.height, to: size.height, inner: width * shape.channels,
            weights: ResampleWeights(from: shape.height, to: size.height, filter: filter))
        return run(pass, values)
    }
    if order.isVerticalFirst(from: (shape.width, shape.height), to: (size.width, size.height)) {
        return horizontal(vertical(values, width: shape.width), height: size.height)
    }
    return vertical(horizontal(values, height: shape.height), width: size.width)
}
