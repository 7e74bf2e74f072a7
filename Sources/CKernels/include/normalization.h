// Layer normalisation over channels with an optional modulation, and its derivative.
#pragma once
#include <stdint.h>

/// y = (x − mean)/√(var + epsilon) · (base + scale) + shift per row; `mean`, `inverseDeviation` [rows] are kept
/// for the backward pass. `scale` and `shift` [channels] may be null.
void sfumato_layer_norm(const float *x, const float *scale, const float *shift, float *y, float *mean,
                        float *inverse_deviation, float epsilon, float base, int64_t rows, int64_t channels);

/// y = (x − mean)·inverse·(base + scale) + shift, from the statistics that `sfumato_layer_norm` found.
void sfumato_layer_norm_again(const float *x, const float *mean, const float *inverse_deviation, const float *scale,
                              const float *shift, float base, float *y, int64_t rows, int64_t channels);

/// dx from dy, plus `residual` unless that is null; adds Σ_r dy to d_shift and Σ_r dy·x̂ to d_scale when these are
/// not null.
void sfumato_layer_norm_backward(const float *x, const float *scale, const float *dy, const float *mean,
                                 const float *inverse_deviation, float *dx, float *d_scale, float *d_shift,
                                 float base, const float *residual, int64_t rows, int64_t channels);
