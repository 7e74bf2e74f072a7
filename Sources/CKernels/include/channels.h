// Kernels on rows of channels: `x` is [rows, channels], `v` one value per channel.
#pragma once
#include <stdint.h>
#include "elementwise.h"

/// y[r,c] = f(x[r,c], v[c])
void sfumato_channel_binary(enum sfumato_binary_operation f, const float *x, const float *v, float *y,
                            int64_t rows, int64_t channels);

/// y[r,c] = x[r,c] + v[c]·z[r,c]
void sfumato_channel_scale_add(const float *x, const float *v, const float *z, float *y, int64_t rows,
                               int64_t channels);

/// sum[c] += Σ_r a[r,c]·b[r,c] (b may be null: Σ_r a[r,c])
void sfumato_sum_rows(const float *a, const float *b, float *sum, int64_t rows, int64_t channels);

/// y[r,c] = GELU(x[r,c]);  sum[c] += Σ_r y[r,c]
void sfumato_gelu_sum_rows(const float *x, float *y, float *sum, int64_t rows, int64_t channels);

/// dx[r,c] = GELU'(x[r,c])·(dy[r,c]·scale[c] + shift[c])
void sfumato_gelu_scale_backward(const float *x, const float *dy, const float *scale, const float *shift,
                                 float *dx, int64_t rows, int64_t channels);
