import Images
import Tensors

extension PixelGrid {
    /// The RGB samples of an image, 0…255: grey is replicated, alpha is dropped, 16 bits give their high bytes.
    public init(rgb image: Image) {
        let (bytes, channels) = (image.bytes, image.channels)
        let isGrey = channels < 3
        var values = [Double](repeating: 0, count: image.pixelCount * 3)
        for pixel in 0..<image.pixelCount {
            for c in 0..<3 { values[pixel * 3 + c] = Double(bytes[pixel * channels + (isGrey ? 0 : c)]) }
        }
        self.init(height: image.height, width: image.width, channels: 3, values: values)
    }

    /// At another size by Pillow's bicubic filter in single precision, without rounding to bytes: what the
    /// features of 32×32 images are made of.
    public func resized(height: Int, width: Int) -> PixelGrid {
        guard (height, width) != (self.height, self.width) else { return self }
        let tensor = Tensor(shape: [self.height, self.width, channels], scalars: values.map { Float($0) })
        let resized = tensor.resampled(height: height, width: width, filter: .bicubic)
        return PixelGrid(
            height: height, width: width, channels: channels, values: resized.scalars.map(Double.init))
    }
}
