// Element-wise families on float32, each call on one contiguous range. Threads are the caller's business.
#pragma once
#include <stdint.h>

enum sfumato_unary_operation {
    SFUMATO_NEGATE, SFUMATO_ABSOLUTE, SFUMATO_SQUARE, SFUMATO_SQUARE_ROOT, SFUMATO_RECIPROCAL,
    SFUMATO_EXP, SFUMATO_LOG, SFUMATO_SIN, SFUMATO_COS, SFUMATO_TANH, SFUMATO_SIGMOID,
    SFUMATO_RELU, SFUMATO_SILU, SFUMATO_GELU, SFUMATO_SOFTPLUS,
};

enum sfumato_binary_operation { SFUMATO_ADD, SFUMATO_SUBTRACT, SFUMATO_MULTIPLY, SFUMATO_DIVIDE };

/// y[i] = f(x[i])
void sfumato_unary(enum sfumato_unary_operation f, const float *x, float *y, int64_t count);

/// dx[i] = f'(x[i]) · dy[i]
void sfumato_unary_backward(enum sfumato_unary_operation f, const float *x, const float *dy, float *dx,
                            int64_t count);

/// y[i] = f(a[i], b[i])
void sfumato_binary(enum sfumato_binary_operation f, const float *a, const float *b, float *y, int64_t count);

/// y[i] = scale · x[i] + shift
void sfumato_affine(const float *x, float *y, float scale, float shift, int64_t count);

/// y[i] += scale · x[i]
void sfumato_accumulate(const float *x, float *y, float scale, int64_t count);

/// Sums in double over the range: Σ a[i]·b[i] (b may be null: Σ a[i]).
double sfumato_dot(const float *a, const float *b, int64_t count);

/// Number of values in the range that are NaN or infinite.
int64_t sfumato_count_nonfinite(const float *x, int64_t count);
