extension Tensor {
    /// Fourier transform over both image axes: `[N, H, W, C]` → `[N, H, W/2+1, C, 2]`, real and imaginary part on
    /// the last axis (PyTorch's `rfft2`, any H and W).
    public func realFFT2(_ normalization: FFTNormalization = .ortho) -> Tensor {
        let width = shape.rank == 4 ? shape[2] : 0
        return SpectrumTensor.forward(self, normalization).recorded([self]) { gradient, _ in
            [SpectrumTensor.forwardAdjoint(gradient, width: width, normalization)]
        }
    }

    /// Inverse of `realFFT2`: `[N, H, W/2+1, C, 2]` → `[N, H, W, C]`. Of a spectrum that belongs to no real image
    /// the real part of the transform is taken.
    /// - Parameter width: W of the image, which is 2k or 2k + 1 for k + 1 stored columns.
    public func inverseRealFFT2(width: Int, _ normalization: FFTNormalization = .ortho) -> Tensor {
        SpectrumTensor.inverse(self, width: width, normalization).recorded([self]) { gradient, _ in
            [SpectrumTensor.inverseAdjoint(gradient, normalization)]
        }
    }
}
