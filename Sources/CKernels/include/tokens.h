// Root-mean-square norm, limits, and copies that permute axes.
#pragma once
#include <stdint.h>

/// y = x / (rms + epsilon) when `outside`, else x / √(mean square + epsilon). `inverse` [rows] is kept.
void sfumato_rms_norm(const float *x, float *y, float *inverse, float epsilon, int outside, int64_t rows,
                      int64_t channels);
void sfumato_rms_norm_backward(const float *x, const float *dy, const float *inverse, float *dx, int outside,
                               float epsilon, int64_t rows, int64_t channels);

/// y = x limited to ±limit; not a number becomes 0.
void sfumato_clamp(const float *x, float *y, float limit, int64_t count);
/// dx = dy inside the limits, else 0.
void sfumato_clamp_backward(const float *x, const float *dy, float *dx, float limit, int64_t count);

/// Copies runs of `run` scalars: output index begin..<end over `extents` (rank axes, last fastest), source position
/// Σ index·stride.
void sfumato_permute(const float *x, float *y, const int64_t *extents, const int64_t *strides, int64_t rank,
                     int64_t run, int64_t begin, int64_t end);
