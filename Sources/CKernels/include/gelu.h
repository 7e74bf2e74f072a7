// The GELU, x·Φ(x), and its derivative Φ(x) + x·φ(x) (arXiv 1606.08415). A result may take its operand's place.
#pragma once
#include <stdint.h>

/// y = GELU(x)
void sfumato_gelu(const float *x, float *y, int64_t count);

/// slope = GELU'(x)
void sfumato_gelu_slope(const float *x, float *slope, int64_t count);

/// Both at once.
void sfumato_gelu_and_slope(const float *x, float *y, float *slope, int64_t count);
