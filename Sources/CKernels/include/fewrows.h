// Products of a few rows with a matrix: memory-bound, since every weight is used as often as there are rows.
#pragma once
#include <stdint.h>

/// y[r, o] = bias[o] + Σ_i x[r, i]·w[o, i] for the outputs `begin`..<`end`; `bias` may be null. A result's sum has the same
/// order whatever the number of rows and the range of outputs.
void sfumato_few_rows_product(const float *x, const float *w, const float *bias, float *y, int64_t rows,
                              int64_t inputs, int64_t outputs, int64_t begin, int64_t end);
