#include "channels.h"
#include "gelu.h"
#include "numerics.h"

#define EACH(expression)                                                                                     \
    for (int64_t r = 0; r < rows; r++) {                                                                     \
        const float *a = x + r * channels;                                                                   \
        float *out = y + r * channels;                                                                       \
        EACH_CHANNEL                                                                                         \
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
        EACH_CHANNEL
        for (int64_t c = 0; c < channels; c++) out[c] = a[c] + v[c] * b[c];
    }
}

SFUMATO_KERNEL
void sfumato_sum_rows(const float *a, const float *b, float *sum, int64_t rows, int64_t channels) {
    for (int64_t r = 0; r < rows; r++) {
        const float *p = a + r * channels;
        if (b) {
            const float *q = b + r * channels;
            EACH_CHANNEL
            for (int64_t c = 0; c < channels; c++) sum[c] += p[c] * q[c];
        } else {
            EACH_CHANNEL
            for (int64_t c = 0; c < channels; c++) sum[c] += p[c];
        }
    }
}

SFUMATO_KERNEL
void sfumato_gelu_sum_rows(const float *x, float *y, float *sum, int64_t rows, int64_t channels) {
    const int64_t step = channels < CHUNK ? CHUNK / channels : 1;
    for (int64_t r = 0; r < rows; r += step) {
        const int64_t count = rows - r < step ? rows - r : step;
        sfumato_gelu(x + r * channels, y + r * channels, count * channels);
        sfumato_sum_rows(y + r * channels, 0, sum, count, channels);
    }
}

SFUMATO_KERNEL
void sfumato_gelu_scale_backward(const float *x, const float *dy, const float *scale, const float *shift,
                                 float *dx, int64_t rows, int64_t channels) {
    for (int64_t r = 0; r < rows; r++)
        for (int64_t start = 0; start < channels; start += CHUNK) {
            const int64_t first = r * channels + start, count = chunk(channels - start);
            float slope[CHUNK];
            sfumato_gelu_slope(x + first, slope, count);
            EACH_CHANNEL
            for (int64_t c = 0; c < count; c++)
                dx[first + c] = slope[c] * (dy[first + c] * scale[start + c] + shift[start + c]);
        }
}
