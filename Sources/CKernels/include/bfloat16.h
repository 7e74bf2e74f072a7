// bfloat16: the upper half of a float32, for operands of products whose sums are float32.
#pragma once
#include <stdint.h>

/// Whether this processor multiplies bfloat16 numbers (AVX512_BF16).
int sfumato_bfloat16_is_available(void);

/// Rounds to the nearest, ties to even; what is not a number stays so.
void sfumato_round_bfloat16(const float *x, uint16_t *y, int64_t count);
