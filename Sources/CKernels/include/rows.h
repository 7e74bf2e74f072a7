// What a block of rows needs between two products, while it is in the cache. `rows` vectors of `channels` scalars; vectors
// without a number of rows have one value per channel, and sums are added to what is there.
#pragma once
#include <stdint.h>

/// Of y = r + gate·z: dz = gate·dy; d_gate[c] += Σ dy·z; d_bias[c] += Σ dz, which is the gradient of a bias within z.
void sfumato_gated_residual_backward(const float *dy, const float *z, const float *gate, float *dz, float *d_gate,
                                     float *d_bias, int64_t rows, int64_t channels);

/// u = GELU(x) once more, dx = du·GELU'(x), which may take du's place; d_bias[c] += Σ dx.
void sfumato_gelu_again(const float *x, const float *du, float *u, float *dx, float *d_bias, int64_t rows,
                        int64_t channels);

/// For x [rows, 2·channels] and the product u of its halves: u once more, dx from du, d_bias[c] += Σ dx.
void sfumato_gate_again(const float *x, const float *du, float *u, float *dx, float *d_bias, int64_t rows,
                        int64_t channels);

/// For v = factor·f(x), f the GELU or nothing: v once more, and d_factor[c] += Σ dv·f(x).
void sfumato_scaled_again(const float *x, int is_gelu, const float *factor, const float *dv, float *v, float *d_factor,
                          int64_t rows, int64_t channels);
