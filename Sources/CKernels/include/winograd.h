// 3×3 convolution at stride 1 by Winograd's minimal filtering, F(4×4, 3×3) (arXiv 1509.09308), channels last.
//
// A quarter of the direct method's multiplications. Every tile of 4×4 results is computed by itself, in the same order of
// additions wherever it stands: a result does not depend on the batch, nor on the number of threads. The points of
// interpolation are 0, ±√½, ±√2, ∞; with them the largest error in single precision is a quarter of that of the usual
// 0, ±1, ±2, ∞.
#pragma once
#include <stdint.h>

/// `input` is [batch, height, width, inputs], `output` [batch, height + 2·padding − 2, width + 2·padding − 2, outputs];
/// `inputs` and `outputs` are multiples of 16, `padding` is 0, 1 or 2.
struct sfumato_winograd {
    int64_t batch, height, width, inputs, outputs, padding;
};

/// Whether this processor has what the kernels need (AVX-512).
int sfumato_winograd_is_available(void);

/// Scalars of packed weights.
int64_t sfumato_winograd_packed_count(int64_t inputs, int64_t outputs);

/// Transforms weights [outputs, inputs, 3, 3]. `transposed`: for the convolution that leads from the gradient of the
/// output back to that of the input; `inputs` and `outputs` are still those of the forward convolution.
void sfumato_winograd_pack(const float *weight, float *packed, int64_t inputs, int64_t outputs, int transposed);

/// Scalars of scratch memory that the next function needs.
int64_t sfumato_winograd_scratch_count(const struct sfumato_winograd *w);

/// y = x ∗ weight + bias (null: none), then max(y, 0) where `rectified`. `scratch` is aligned to 64 bytes.
void sfumato_winograd_forward(const struct sfumato_winograd *w, const float *x, const float *packed,
                              const float *bias, int rectified, float *y, float *scratch);

/// Scalars of scratch memory that the next function needs.
int64_t sfumato_winograd_gradient_scratch_count(const struct sfumato_winograd *w);

/// The gradient [outputs, inputs, 3, 3] of the weights. Its last bits depend on the number of threads.
void sfumato_winograd_weight_gradient(const struct sfumato_winograd *w, const float *x, const float *dy,
                                      float *gradient, float *scratch);
