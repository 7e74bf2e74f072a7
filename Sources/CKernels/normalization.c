#include "normalization.h"
#include "numerics.h"

// Sixteen lanes fix the order of the additions.
#define LANES 16

typedef float lanes __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
#define AT(address) (*(const lanes *)(address))

SFUMATO_INLINE float vector_sum(const lanes *v) {
    typedef float half __attribute__((vector_size(32)));
    typedef float quarter __attribute__((vector_size(16)));
    half h = __builtin_shufflevector(*v, *v, 0, 1, 2, 3, 4, 5, 6, 7) +
             __builtin_shufflevector(*v, *v, 8, 9, 10, 11, 12, 13, 14, 15);
    quarter q = __builtin_shufflevector(h, h, 0, 1, 2, 3) + __builtin_shufflevector(h, h, 4, 5, 6, 7);
    return (q[0] + q[2]) + (q[1] + q[3]);
}

// Σ x of a row.
SFUMATO_INLINE float row_sum(const float *p, int64_t channels) {
    lanes even = {0}, odd = {0};
    float rest = 0;
    int64_t c = 0;
    for (; c + 2 * LANES <= channels; c += 2 * LANES) {
        even += AT(p + c);
        odd += AT(p + c + LANES);
    }
    if (c + LANES <= channels) {
        even += AT(p + c);
        c += LANES;
    }
    for (; c < channels; c++) rest += p[c];
    even += odd;
    return vector_sum(&even) + rest;
}

// Σ (x − mean)² of a row.
SFUMATO_INLINE float row_deviation(const float *p, int64_t channels, float mean) {
    lanes even = {0}, odd = {0};
    float rest = 0;
    int64_t c = 0;
    for (; c + 2 * LANES <= channels; c += 2 * LANES) {
        const lanes a = AT(p + c) - mean, b = AT(p + c + LANES) - mean;
        even += a * a;
        odd += b * b;
    }
    if (c + LANES <= channels) {
        const lanes a = AT(p + c) - mean;
        even += a * a;
        c += LANES;
    }
    for (; c < channels; c++) rest += (p[c] - mean) * (p[c] - mean);
    even += odd;
    return vector_sum(&even) + rest;
}

// A row from its statistics.
SFUMATO_INLINE void apply(const float *p, const float *scale, const float *shift, float mean, float inverse, float base,
                          float *out, int64_t channels) {
    if (scale && shift) {
        EACH_CHANNEL
        for (int64_t c = 0; c < channels; c++) out[c] = (p[c] - mean) * inverse * (base + scale[c]) + shift[c];
    } else {
        EACH_CHANNEL
        for (int64_t c = 0; c < channels; c++) out[c] = (p[c] - mean) * inverse;
    }
}

// Rows whose statistics are found together: a root and two divisions for all of them at once.
enum { GROUP = 8 };

SFUMATO_KERNEL
void sfumato_layer_norm(const float *x, const float *scale, const float *shift, float *y, float *mean,
                        float *inverse_deviation, float epsilon, float base, int64_t rows, int64_t channels) {
    for (int64_t first = 0; first < rows; first += GROUP) {
        const int64_t count = rows - first < GROUP ? rows - first : GROUP;
        const float *in = x + first * channels;
        float *out = y + first * channels, m[GROUP] = {0}, inverse[GROUP] = {0};
        for (int64_t r = 0; r < count; r++) m[r] = row_sum(in + r * channels, channels);
        for (int r = 0; r < GROUP; r++) m[r] /= channels;
        for (int64_t r = 0; r < count; r++) inverse[r] = row_deviation(in + r * channels, channels, m[r]);
        for (int r = 0; r < GROUP; r++) inverse[r] = 1.0f / sqrtf(inverse[r] / channels + epsilon);
        for (int64_t r = 0; r < count; r++) {
            const float center = m[r], factor = inverse[r];
            apply(in + r * channels, scale, shift, center, factor, base, out + r * channels, channels);
            mean[first + r] = center;
            inverse_deviation[first + r] = factor;
        }
    }
}

SFUMATO_KERNEL
void sfumato_layer_norm_again(const float *x, const float *mean, const float *inverse_deviation, const float *scale,
                              const float *shift, float base, float *y, int64_t rows, int64_t channels) {
    for (int64_t r = 0; r < rows; r++)
        apply(x + r * channels, scale, shift, mean[r], inverse_deviation[r], base, y + r * channels, channels);
}

// The gradient of the normalised values: dy, or dy·(base + scale).
#define WEIGHTED(c) (scale ? AT(d + (c)) * (base + AT(scale + (c))) : AT(d + (c)))

SFUMATO_KERNEL
void sfumato_layer_norm_backward(const float *x, const float *scale, const float *dy, const float *mean,
                                 const float *inverse_deviation, float *dx, float *d_scale, float *d_shift,
                                 float base, const float *residual, int64_t rows, int64_t channels) {
    for (int64_t r = 0; r < rows; r++) {
        const float *p = x + r * channels, *d = dy + r * channels, *more = residual ? residual + r * channels : 0;
        float *out = dx + r * channels, rest1 = 0, rest2 = 0;
        const float m = mean[r], inverse = inverse_deviation[r];
        lanes sum1 = {0}, sum2 = {0};
        int64_t c = 0;
        for (; c + LANES <= channels; c += LANES) {
            const lanes g = WEIGHTED(c);
            sum1 += g;
            sum2 += g * ((AT(p + c) - m) * inverse);
        }
        for (; c < channels; c++) {
            const float g = scale ? d[c] * (base + scale[c]) : d[c];
            rest1 += g;
            rest2 += g * ((p[c] - m) * inverse);
        }
        const float mean1 = (vector_sum(&sum1) + rest1) / channels, mean2 = (vector_sum(&sum2) + rest2) / channels;
        for (c = 0; c + LANES <= channels; c += LANES) {
            const lanes g = WEIGHTED(c), normal = (AT(p + c) - m) * inverse;
            if (d_scale && d_shift) {
                *(lanes *)(d_shift + c) += AT(d + c);
                *(lanes *)(d_scale + c) += AT(d + c) * normal;
            }
            const lanes slope = inverse * (g - mean1 - normal * mean2);
            *(lanes *)(out + c) = more ? AT(more + c) + slope : slope;
        }
        for (; c < channels; c++) {
            const float g = scale ? d[c] * (base + scale[c]) : d[c], normal = (p[c] - m) * inverse;
            if (d_scale && d_shift) {
                d_shift[c] += d[c];
                d_scale[c] += d[c] * normal;
            }
            out[c] = (more ? more[c] : 0) + inverse * (g - mean1 - normal * mean2);
        }
    }
}
