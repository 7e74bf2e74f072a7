#include "normalization.h"
#include "lanes.h"

#define AT(address) (*(const lanes *)(address))

// Rows whose statistics are found together: their sums across lanes, a root and two divisions for all of them at once.
enum { GROUP = 8 };

// Σ of (x − mean[r])², or of x, over each of some rows.
SFUMATO_INLINE void row_sums(const float *x, int64_t rows, int64_t channels, const float *mean, float *result) {
    lanes sums[GROUP] = {{0}};
    float rests[GROUP] = {0};
    for (int64_t r = 0; r < rows; r++) {
        const float *p = x + r * channels, m = mean ? mean[r] : 0;
        lanes even = {0}, odd = {0};
        int64_t c = 0;
        for (; c + 2 * LANES <= channels; c += 2 * LANES) {
            const lanes a = AT(p + c) - m, b = AT(p + c + LANES) - m;
            even += mean ? a * a : AT(p + c);
            odd += mean ? b * b : AT(p + c + LANES);
        }
        if (c + LANES <= channels) {
            const lanes a = AT(p + c) - m;
            even += mean ? a * a : AT(p + c);
            c += LANES;
        }
        for (; c < channels; c++) rests[r] += mean ? (p[c] - m) * (p[c] - m) : p[c];
        sums[r] = even + odd;
    }
    for (int r = 0; r < GROUP; r += 4) *(quarter *)(result + r) = totals(sums + r) + *(quarter *)(rests + r);
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

SFUMATO_INLINE void layer_norm(const float *x, const float *scale, const float *shift, float *y, float *mean,
                               float *inverse_deviation, float epsilon, float base, int64_t rows,
                               const int64_t channels) {
    typedef float group __attribute__((vector_size(4 * GROUP)));
    for (int64_t first = 0; first < rows; first += GROUP) {
        const int64_t count = rows - first < GROUP ? rows - first : GROUP;
        const float *in = x + first * channels;
        float *out = y + first * channels;
        group m, inverse;
        row_sums(in, count, channels, 0, (float *)&m);
        m /= (float)channels;
        row_sums(in, count, channels, (const float *)&m, (float *)&inverse);
        inverse = 1.0f / __builtin_elementwise_sqrt(inverse / (float)channels + epsilon);
        for (int64_t r = 0; r < count; r++) {
            apply(in + r * channels, scale, shift, m[r], inverse[r], base, out + r * channels, channels);
            mean[first + r] = m[r];
            inverse_deviation[first + r] = inverse[r];
        }
    }
}

SFUMATO_KERNEL
void sfumato_layer_norm(const float *x, const float *scale, const float *shift, float *y, float *mean,
                        float *inverse_deviation, float epsilon, float base, int64_t rows, int64_t channels) {
#define WITH(channels) layer_norm(x, scale, shift, y, mean, inverse_deviation, epsilon, base, rows, channels)
    // Short rows are unrolled and stay in registers.
    switch (channels) {
    case 32: WITH(32); return;
    case 64: WITH(64); return;
    case 128: WITH(128); return;
    default: WITH(channels);
    }
#undef WITH
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
        const float mean1 = (total(&sum1) + rest1) / channels, mean2 = (total(&sum2) + rest2) / channels;
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
