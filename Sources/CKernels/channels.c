#include "channels.h"
#include "numerics.h"

#define EACH(expression)                                                                                     \
    for (int64_t r = 0; r < rows; r++) {                                                                     \
        const float *a = x + r * channels;                                                                   \
        float *out = y + r * channels;                                                                       \
        for (int64_t c = 0; c < channels; c++) out[c] = (expression);                                        \
    }                                                                                                        \
    break

SFUMATO_KERNEL
void sfumato_channel_binary(enum sfumato_binary_operation f, const float *x, const float *v, float *y,
                            int64_t rows, int64_t channels) {
    switch (f) {
    case SFUMATO_ADD: EACH(a[c] + v[c]);
    case SFUMATO_SUBTRACT: EACH(a[c] - v[c]);
    case SFUMATO_MULTIPLY: EACH(a[c] * v[c]);
    case SFUMATO_DIVIDE: EACH(a[c] / v[c]);
    }
}
#undef EACH

SFUMATO_KERNEL
void sfumato_channel_scale_add(const float *x, const float *v, const float *z, float *y, int64_t rows,
                               int64_t channels) {
    for (int64_t r = 0; r < rows; r++) {
        const float *a = x + r * channels, *b = z + r * channels;
        float *out = y + r * channels;
        for (int64_t c = 0; c < channels; c++) out[c] = a[c] + v[c] * b[c];
    }
}

SFUMATO_KERNEL
void sfumato_sum_rows(const float *a, const float *b, float *sum, int64_t rows, int64_t channels) {
    for (int64_t r = 0; r < rows; r++) {
        const float *p = a + r * channels;
        if (b) {
            const float *q = b + r * channels;
            for (int64_t c = 0; c < channels; c++) sum[c] += p[c] * q[c];
        } else {
            for (int64_t c = 0; c < channels; c++) sum[c] += p[c];
        }
    }
}

SFUMATO_KERNEL
void sfumato_gelu_sum_rows(const float *x, float *y, float *sum, int64_t rows, int64_t channels) {
    for (int64_t r = 0; r < rows; r++) {
        const float *p = x + r * channels;
        float *out = y + r * channels;
        for (int64_t c = 0; c < channels; c++) {
            float g = fast_gelu(p[c]);
            out[c] = g;
            sum[c] += g;
        }
    }
}

SFUMATO_KERNEL
void sfumato_gelu_dot_rows(const float *x, const float *dy, float *sum, int64_t rows, int64_t channels) {
    for (int64_t r = 0; r < rows; r++) {
        const float *p = x + r * channels, *d = dy + r * channels;
        for (int64_t c = 0; c < channels; c++) sum[c] += d[c] * fast_gelu(p[c]);
    }
}

SFUMATO_KERNEL
void sfumato_gelu_scale_backward(const float *x, const float *dy, const float *scale, const float *shift,
                                 float *dx, int64_t rows, int64_t channels) {
    for (int64_t r = 0; r < rows; r++) {
        const float *p = x + r * channels, *d = dy + r * channels;
        float *out = dx + r * channels;
        for (int64_t c = 0; c < channels; c++)
            out[c] = fast_gelu_slope(p[c]) * (d[c] * scale[c] + shift[c]);
    }
}
