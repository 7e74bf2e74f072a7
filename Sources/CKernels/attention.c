#include "attention.h"
#include "numerics.h"

SFUMATO_KERNEL
void sfumato_softmax(const float *x, float *y, int64_t rows, int64_t columns) {
    for (int64_t r = 0; r < rows; r++) {
        const float *p = x + r * columns;
        float *out = y + r * columns;
        float top = -INFINITY, sum = 0;
        for (int64_t c = 0; c < columns; c++) top = p[c] > top ? p[c] : top;
        for (int64_t c = 0; c < columns; c++) out[c] = fast_exp(p[c] - top);
        for (int64_t c = 0; c < columns; c++) sum += out[c];
        float inverse = 1.0f / sum;
        for (int64_t c = 0; c < columns; c++) out[c] *= inverse;
    }
}

SFUMATO_KERNEL
void sfumato_softmax_backward(const float *y, const float *dy, float *dx, int64_t rows, int64_t columns) {
    for (int64_t r = 0; r < rows; r++) {
        const float *p = y + r * columns, *d = dy + r * columns;
        float *out = dx + r * columns, dot = 0;
        for (int64_t c = 0; c < columns; c++) dot += p[c] * d[c];
        for (int64_t c = 0; c < columns; c++) out[c] = p[c] * (d[c] - dot);
    }
}

SFUMATO_KERNEL
void sfumato_softmax_stream(float *scores, float *maximum, float *sum, float *accumulated, int64_t rows,
                            int64_t columns, int64_t width) {
    for (int64_t r = 0; r < rows; r++) {
        float *p = scores + r * columns, *acc = accumulated + r * width;
        float top = maximum[r], total = 0;
        for (int64_t c = 0; c < columns; c++) top = p[c] > top ? p[c] : top;
        for (int64_t c = 0; c < columns; c++) p[c] = fast_exp(p[c] - top);
        for (int64_t c = 0; c < columns; c++) total += p[c];
        if (top > maximum[r]) {
            float scale = maximum[r] == -INFINITY ? 0.0f : fast_exp(maximum[r] - top);
            sum[r] *= scale;
            for (int64_t c = 0; c < width; c++) acc[c] *= scale;
            maximum[r] = top;
        }
        sum[r] += total;
    }
}

SFUMATO_KERNEL
void sfumato_softmax_recompute(float *scores, const float *logsum, int64_t logsum_stride, int64_t rows,
                               int64_t columns) {
    for (int64_t r = 0; r < rows; r++) {
        float *p = scores + r * columns, shift = logsum[r * logsum_stride];
        for (int64_t c = 0; c < columns; c++) p[c] = fast_exp(p[c] - shift);
    }
}

SFUMATO_KERNEL
void sfumato_softmax_stream_backward(const float *p, float *dp, const float *delta, int64_t delta_stride,
                                     float scale, int64_t rows, int64_t columns) {
    for (int64_t r = 0; r < rows; r++) {
        const float *prob = p + r * columns;
        float *d = dp + r * columns, shift = delta[r * delta_stride];
        for (int64_t c = 0; c < columns; c++) d[c] = scale * prob[c] * (d[c] - shift);
    }
}

// Eight lanes let the sum become vector code and fix the order of its additions.
SFUMATO_INLINE float dot(const float *a, const float *b, int64_t count) {
    float lane[8] = {0}, rest = 0;
    int64_t c = 0;
    for (; c + 8 <= count; c += 8)
        for (int k = 0; k < 8; k++) lane[k] += a[c + k] * b[c + k];
    for (; c < count; c++) rest += a[c] * b[c];
    return (((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]))) + rest;
}

SFUMATO_KERNEL
void sfumato_group_dot(const float *a, const float *b, int64_t b_stride, float *out, int64_t rows,
                       int64_t channels, int64_t groups) {
    int64_t width = channels / groups;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t g = 0; g < groups; g++)
            out[r * groups + g] = dot(a + r * channels + g * width, b + r * b_stride + g * width, width);
}

SFUMATO_KERNEL
void sfumato_group_scale(const float *x, const float *s, float *y, int64_t rows, int64_t channels,
                         int64_t groups) {
    int64_t width = channels / groups;
    for (int64_t i = 0; i < rows * groups; i++) {
        const float *p = x + i * width;
        float *out = y + i * width, factor = s[i];
        for (int64_t c = 0; c < width; c++) out[c] = p[c] * factor;
    }
}

SFUMATO_KERNEL
void sfumato_group_add_vector(const float *s, const float *v, float *y, int64_t rows, int64_t channels,
                              int64_t groups) {
    int64_t width = channels / groups;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t g = 0; g < groups; g++) {
            float *out = y + r * channels + g * width, factor = s[r * groups + g];
            const float *p = v + g * width;
            for (int64_t c = 0; c < width; c++) out[c] += factor * p[c];
        }
}

SFUMATO_KERNEL
void sfumato_group_sum(const float *s, const float *x, float *sum, int64_t rows, int64_t channels,
                       int64_t groups) {
    int64_t width = channels / groups;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t g = 0; g < groups; g++) {
            const float *p = x + r * channels + g * width;
            float *out = sum + g * width, factor = s[r * groups + g];
            for (int64_t c = 0; c < width; c++) out[c] += factor * p[c];
        }
}

SFUMATO_KERNEL
void sfumato_rotate_pairs(const float *x, const float *cosine, const float *sine, float direction, float *y,
                          int64_t groups, int64_t half) {
    for (int64_t g = 0; g < groups; g++)
        for (int64_t i = 0; i < half; i++) {
            const float *p = x + 2 * (g * half + i);
            float a = p[0], b = p[1], c = cosine[i], s = sine[i] * direction;
            y[2 * (g * half + i)] = a * c - b * s;
            y[2 * (g * half + i) + 1] = a * s + b * c;
        }
}
