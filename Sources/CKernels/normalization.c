#include "normalization.h"
#include "numerics.h"

// Sixteen lanes make the reductions vector code and fix the order of the additions.
#define LANES 16

SFUMATO_INLINE float lane_sum(const float *lane) {
    float a[8], b[4];
    for (int k = 0; k < 8; k++) a[k] = lane[k] + lane[k + 8];
    for (int k = 0; k < 4; k++) b[k] = a[k] + a[k + 4];
    return (b[0] + b[2]) + (b[1] + b[3]);
}

SFUMATO_KERNEL
void sfumato_layer_norm(const float *x, const float *scale, const float *shift, float *y, float *mean,
                        float *inverse_deviation, float epsilon, float base, int64_t rows, int64_t channels) {
    for (int64_t r = 0; r < rows; r++) {
        const float *p = x + r * channels;
        float *out = y + r * channels;
        float lane[LANES] = {0}, rest = 0;
        int64_t c = 0;
        for (; c + LANES <= channels; c += LANES)
            for (int k = 0; k < LANES; k++) lane[k] += p[c + k];
        for (; c < channels; c++) rest += p[c];
        float m = (lane_sum(lane) + rest) / channels;

        for (int k = 0; k < LANES; k++) lane[k] = 0;
        rest = 0;
        for (c = 0; c + LANES <= channels; c += LANES)
            for (int k = 0; k < LANES; k++) lane[k] += (p[c + k] - m) * (p[c + k] - m);
        for (; c < channels; c++) rest += (p[c] - m) * (p[c] - m);
        float inverse = 1.0f / sqrtf((lane_sum(lane) + rest) / channels + epsilon);

        if (scale && shift) {
            for (c = 0; c < channels; c++) out[c] = (p[c] - m) * inverse * (base + scale[c]) + shift[c];
        } else {
            for (c = 0; c < channels; c++) out[c] = (p[c] - m) * inverse;
        }
        mean[r] = m;
        inverse_deviation[r] = inverse;
    }
}

SFUMATO_KERNEL
void sfumato_layer_norm_backward(const float *x, const float *scale, const float *dy, const float *mean,
                                 const float *inverse_deviation, float *dx, float *d_scale, float *d_shift,
                                 float base, int64_t rows, int64_t channels) {
    for (int64_t r = 0; r < rows; r++) {
        const float *p = x + r * channels, *d = dy + r * channels;
        float *out = dx + r * channels;
        float m = mean[r], inverse = inverse_deviation[r];
        float lane1[LANES] = {0}, lane2[LANES] = {0}, rest1 = 0, rest2 = 0;
        int64_t c = 0;
        // `out` holds dy·(base + scale) between the two sweeps.
        for (; c + LANES <= channels; c += LANES)
            for (int k = 0; k < LANES; k++) {
                float g = scale ? d[c + k] * (base + scale[c + k]) : d[c + k];
                out[c + k] = g;
                lane1[k] += g;
                lane2[k] += g * ((p[c + k] - m) * inverse);
            }
        for (; c < channels; c++) {
            float g = scale ? d[c] * (base + scale[c]) : d[c];
            out[c] = g;
            rest1 += g;
            rest2 += g * ((p[c] - m) * inverse);
        }
        float mean1 = (lane_sum(lane1) + rest1) / channels, mean2 = (lane_sum(lane2) + rest2) / channels;
        if (d_scale && d_shift) {
            for (c = 0; c < channels; c++) {
                float normal = (p[c] - m) * inverse;
                d_shift[c] += d[c];
                d_scale[c] += d[c] * normal;
                out[c] = inverse * (out[c] - mean1 - normal * mean2);
            }
        } else {
            for (c = 0; c < channels; c++)
                out[c] = inverse * (out[c] - mean1 - (p[c] - m) * inverse * mean2);
        }
    }
}
