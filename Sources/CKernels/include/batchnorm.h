// Normalisation of channels over all pixels of a batch. `x` is [rows, channels], the rest one value per channel.
#pragma once
#include <stdint.h>

/// sum[c] += Σ_r (x − mean)²
void sfumato_sum_squared_deviations(const float *x, const float *mean, float *sum, int64_t rows,
                                    int64_t channels);

/// y = (x − mean)·scale + shift
void sfumato_normalize_channels(const float *x, const float *mean, const float *scale, const float *shift,
                                float *y, int64_t rows, int64_t channels);

/// sum_dy[c] += Σ_r dy;  sum_product[c] += Σ_r dy·x̂ with x̂ = (x − mean)·inverse
void sfumato_batch_norm_sums(const float *x, const float *dy, const float *mean, const float *inverse,
                             float *sum_dy, float *sum_product, int64_t rows, int64_t channels);

/// dx = scale·(dy − mean_dy − x̂·mean_product)
void sfumato_batch_norm_backward(const float *x, const float *dy, const float *mean, const float *inverse,
                                 const float *scale, const float *mean_dy, const float *mean_product,
                                 float *dx, int64_t rows, int64_t channels);
