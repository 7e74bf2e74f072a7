#include "elementwise.h"
#include "gelu.h"
#include "numerics.h"

#define EACH(expression)                                                                                     \
    EXACT_OR_APART                                                                                           \
    for (int64_t i = 0; i < count; i++) {                                                                    \
        float v = x[i];                                                                                      \
        y[i] = (expression);                                                                                 \
    }                                                                                                        \
    break

SFUMATO_KERNEL
void sfumato_unary(enum sfumato_unary_operation f, const float *x, float *y, int64_t count) {
    switch (f) {
    case SFUMATO_NEGATE: EACH(-v);
    case SFUMATO_ABSOLUTE: EACH(fabsf(v));
    case SFUMATO_SQUARE: EACH(v * v);
    case SFUMATO_SQUARE_ROOT: EACH(sqrtf(v));
    case SFUMATO_RECIPROCAL: EACH(1.0f / v);
    case SFUMATO_EXP: EACH(v > 88.72f ? expf(v) : fast_exp(v));
    case SFUMATO_LOG: EACH(logf(v));
    case SFUMATO_SIN: EACH(sinf(v));
    case SFUMATO_COS: EACH(cosf(v));
    case SFUMATO_TANH: EACH(fast_tanh(v));
    case SFUMATO_SIGMOID: EACH(fast_sigmoid(v));
    case SFUMATO_RELU: EACH(v < 0 ? 0 : v);
    case SFUMATO_SILU: EACH(v * fast_sigmoid(v));
    case SFUMATO_GELU: sfumato_gelu(x, y, count); break;
    case SFUMATO_SOFTPLUS:  // calls that have no vector form
        for (int64_t i = 0; i < count; i++) y[i] = (x[i] > 0 ? x[i] : 0) + log1pf(expf(-fabsf(x[i])));
        break;
    }
}
#undef EACH

#define EACH(expression)                                                                                     \
    EXACT_OR_APART                                                                                           \
    for (int64_t i = 0; i < count; i++) {                                                                    \
        float v = x[i], d = dy[i];                                                                           \
        dx[i] = (expression);                                                                                \
    }                                                                                                        \
    break

SFUMATO_INLINE float silu_slope(float v) {
    float s = fast_sigmoid(v);
    return s * (1.0f + v * (1.0f - s));
}

SFUMATO_KERNEL
void sfumato_unary_backward(enum sfumato_unary_operation f, const float *x, const float *dy, float *dx,
                            int64_t count) {
    switch (f) {
    case SFUMATO_NEGATE: EACH(-d + 0 * v);
    case SFUMATO_ABSOLUTE: EACH(v > 0 ? d : v < 0 ? -d : 0);
    case SFUMATO_SQUARE: EACH(2 * v * d);
    case SFUMATO_SQUARE_ROOT: EACH(0.5f * d / sqrtf(v));
    case SFUMATO_RECIPROCAL: EACH(-d / (v * v));
    case SFUMATO_EXP: EACH(d * (v > 88.72f ? expf(v) : fast_exp(v)));
    case SFUMATO_LOG: EACH(d / v);
    case SFUMATO_SIN: EACH(d * cosf(v));
    case SFUMATO_COS: EACH(-d * sinf(v));
    case SFUMATO_TANH: EACH(d * (1.0f - fast_tanh(v) * fast_tanh(v)));
    case SFUMATO_SIGMOID: EACH(d * fast_sigmoid(v) * (1.0f - fast_sigmoid(v)));
    case SFUMATO_RELU: EACH(v <= 0 ? 0 : d);
    case SFUMATO_SILU: EACH(d * silu_slope(v));
    case SFUMATO_GELU:
        for (int64_t start = 0; start < count; start += CHUNK) {
            const int64_t length = chunk(count - start);
            float slope[CHUNK];
            sfumato_gelu_slope(x + start, slope, length);
            EXACT_OR_APART
            for (int64_t i = 0; i < length; i++) dx[start + i] = dy[start + i] * slope[i];
        }
        break;
    case SFUMATO_SOFTPLUS: EACH(d * fast_sigmoid(v));
    }
}
#undef EACH

SFUMATO_KERNEL
void sfumato_binary(enum sfumato_binary_operation f, const float *a, const float *b, float *y, int64_t count) {
    switch (f) {
    case SFUMATO_ADD:
        EXACT_OR_APART
        for (int64_t i = 0; i < count; i++) y[i] = a[i] + b[i];
        break;
    case SFUMATO_SUBTRACT:
        EXACT_OR_APART
        for (int64_t i = 0; i < count; i++) y[i] = a[i] - b[i];
        break;
    case SFUMATO_MULTIPLY:
        EXACT_OR_APART
        for (int64_t i = 0; i < count; i++) y[i] = a[i] * b[i];
        break;
    case SFUMATO_DIVIDE:
        EXACT_OR_APART
        for (int64_t i = 0; i < count; i++) y[i] = a[i] / b[i];
        break;
    }
}

SFUMATO_KERNEL
void sfumato_affine(const float *x, float *y, float scale, float shift, int64_t count) {
    EXACT_OR_APART
    for (int64_t i = 0; i < count; i++) y[i] = scale * x[i] + shift;
}

SFUMATO_KERNEL
void sfumato_accumulate(const float *x, float *y, float scale, int64_t count) {
    EXACT_OR_APART
    for (int64_t i = 0; i < count; i++) y[i] += scale * x[i];
}

// Sixteen running sums: the order of additions is fixed, and the loop is vector code without fast-math.
SFUMATO_KERNEL
double sfumato_dot(const float *a, const float *b, int64_t count) {
    double lane[16] = {0}, sum = 0;
    int64_t i = 0;
    if (b) {
        for (; i + 16 <= count; i += 16)
            for (int k = 0; k < 16; k++) lane[k] += (double)a[i + k] * b[i + k];
        for (; i < count; i++) sum += (double)a[i] * b[i];
    } else {
        for (; i + 16 <= count; i += 16)
            for (int k = 0; k < 16; k++) lane[k] += a[i + k];
        for (; i < count; i++) sum += a[i];
    }
    for (int k = 0; k < 16; k++) sum += lane[k];
    return sum;
}

SFUMATO_KERNEL
int64_t sfumato_count_nonfinite(const float *x, int64_t count) {
    int64_t found = 0;
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], 4);
        found += (bits & 0x7F800000u) == 0x7F800000u;
    }
    return found;
}
