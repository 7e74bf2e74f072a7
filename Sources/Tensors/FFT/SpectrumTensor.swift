/// How a Fourier transform is scaled.
public enum FFTNormalization: String, Sendable, Codable, CaseIterable {
    /// Forward unscaled, inverse divided by H·W.
    case backward
    /// Both divided by √(H·W): the transform keeps lengths.
    case ortho
    /// Forward divided by H·W, inverse unscaled.
    case forward

    func forwardScale(_ height: Int, _ width: Int) -> Float {
        scale(Double(height * width), power: forwardPower)
    }
    func inverseScale(_ height: Int, _ width: Int) -> Float {
        scale(Double(height * width), power: 1 - forwardPower)
    }

    private var forwardPower: Double { self == .backward ? 0 : self == .ortho ? 0.5 : 1 }
    private func scale(_ size: Double, power: Double) -> Float {
        Float(power == 0 ? 1 : power == 1 ? 1 / size : 1 / size.squareRoot())
    }
}

/// The real Fourier transform of tensors and its derivatives, without a tape.
///
/// A spectrum is `[N, H, W/2+1, C, 2]`: real and imaginary part side by side, the same bytes as
/// `[N, H, W/2+1, 2C]`. Coefficient v of the last frequency axis stands for itself and, unless v = 0 or 2v = W,
/// for its mirror image, so it counts twice in the inverse; that is the weight in the derivatives below.
public enum SpectrumTensor {
    /// Images `[N, H, W, C]` to spectra `[N, H, W/2+1, C, 2]`.
    public static func forward(_ images: Tensor, _ normalization: FFTNormalization = .ortho) -> Tensor {
        let transform = plan(images.shape)
        let spectra = unscaledForward(images, transform)
        scale(spectra, by: normalization.forwardScale(transform.height, transform.width))
        return spectra
    }

    /// Spectra `[N, H, W/2+1, C, 2]` to images `[N, H, W, C]`.
    /// - Parameter width: W, which the spectrum's shape leaves open (2k or 2k + 1).
    public static func inverse(
        _ spectra: Tensor, width: Int, _ normalization: FFTNormalization = .ortho
    ) -> Tensor {
        let transform = plan(spectra.shape, width: width)
        let images = unscaledInverse(spectra, transform)
        scale(images, by: normalization.inverseScale(transform.height, transform.width))
        return images
    }

    /// The adjoint of `forward`: gradient with respect to the images, from the one with respect to the spectra.
    ///
    /// The adjoint of X = Fx sums Re(g·exp(+iθ)) over the stored coefficients once each, where the inverse
    /// transform counts mirrored ones twice: hence g is halved there first.
    public static func forwardAdjoint(
        _ gradient: Tensor, width: Int, _ normalization: FFTNormalization = .ortho
    ) -> Tensor {
        let transform = plan(gradient.shape, width: width)
        let weighted = Tensor.uninitialized(gradient.shape)
        copy(gradient, into: weighted)
        let factor = normalization.forwardScale(transform.height, transform.width)
        scaleColumns(weighted, transform, single: factor, mirrored: factor / 2)
        return unscaledInverse(weighted, transform)
    }

    /// The adjoint of `inverse`: gradient with respect to the spectra, from the one with respect to the images.
    public static func inverseAdjoint(_ gradient: Tensor, _ normalization: FFTNormalization = .ortho)
        -> Tensor
    {
        let transform = plan(gradient.shape)
        let spectra = unscaledForward(gradient, transform)
        let factor = normalization.inverseScale(transform.height, transform.width)
        scaleColumns(spectra, transform, single: factor, mirrored: 2 * factor)
        return spectra
    }

    private static func plan(_ images: Shape) -> RealFFT2<Float> {
        precondition(images.rank == 4, "an FFT of images needs [N, H, W, C], not \(images)")
        return RealFFT2(height: images[1], width: images[2], channels: images[3])
    }

    private static func plan(_ spectra: Shape, width: Int) -> RealFFT2<Float> {
        precondition(
            spectra.rank == 5 && spectra[4] == 2 && spectra[2] == width / 2 + 1,
            "an inverse FFT to width \(width) needs a spectrum [N, H, \(width / 2 + 1), C, 2], not \(spectra)"
        )
        return RealFFT2(height: spectra[1], width: width, channels: spectra[3])
    }

    private static func unscaledForward(_ images: Tensor, _ transform: RealFFT2<Float>) -> Tensor {
        let (count, channels) = (images.shape[0], images.shape[3])
        let spectra = Tensor.uninitialized([count, transform.height, transform.spectrumWidth, channels, 2])
        images.withScalars { source in
            spectra.withMutableScalars { target in
                guard let from = source.baseAddress, let to = target.baseAddress else { return }
                transform.forward(from, into: to, count: count)
            }
        }
        return spectra
    }

    private static func unscaledInverse(_ spectra: Tensor, _ transform: RealFFT2<Float>) -> Tensor {
        let (count, channels) = (spectra.shape[0], spectra.shape[3])
        let images = Tensor.uninitialized([count, transform.height, transform.width, channels])
        spectra.withScalars { source in
            images.withMutableScalars { target in
                guard let from = source.baseAddress, let to = target.baseAddress else { return }
                transform.inverse(from, into: to, count: count)
            }
        }
        return images
    }

    private static func copy(_ source: Tensor, into target: Tensor) {
        source.withScalars { from in
            target.withMutableScalars { to in _ = to.update(fromContentsOf: from) }
        }
    }

    private static func scale(_ tensor: Tensor, by factor: Float) {
        guard factor != 1 else { return }
        tensor.withMutableScalars { values in
            guard let base = values.baseAddress else { return }
            for i in 0..<values.count { base[i] *= factor }
        }
    }

    /// Scales the columns of a spectrum, those that stand for their mirror image too by another factor.
    private static func scaleColumns(
        _ spectra: Tensor, _ transform: RealFFT2<Float>, single: Float, mirrored: Float
    ) {
        let run = 2 * transform.channels
        spectra.withMutableScalars { values in
            guard let base = values.baseAddress else { return }
            for place in 0..<values.count / run {
                let column = place % transform.spectrumWidth
                let factor = column == 0 || 2 * column == transform.width ? single : mirrored
                for i in place * run..<(place + 1) * run { base[i] *= factor }
            }
        }
    }
}
