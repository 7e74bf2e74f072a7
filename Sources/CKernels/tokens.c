#include "tokens.h"
#include "numerics.h"

SFUMATO_INLINE float mean_product(const float *a, const float *b, int64_t count) {
    float lane[8] = {0}, rest = 0;
    int64_t c = 0;
    for (; c + 8 <= count; c += 8)
        for (int k = 0; k < 8; k++) lane[k] += a[c + k] * b[c + k];
    for (; c < count; c++) rest += a[c] * b[c];
    for (int k = 0; k < 4; k++) lane[k] += lane[k + 4];
    return ((lane[0] + lane[2]) + (lane[1] + lane[3]) + rest) / count;
}

SFUMATO_KERNEL
void sfumato_rms_norm(const float *x, float *y, float *inverse, float epsilon, int outside, int64_t rows,
                      int64_t channels) {
    for (int64_t r = 0; r < rows; r++) {
        const float *p = x + r * channels;
        float square = mean_product(p, p, channels);
        float factor = outside ? 1.0f / (sqrtf(square) + epsilon) : 1.0f / sqrtf(square + epsilon);
        for (int64_t c = 0; c < channels; c++) y[r * channels + c] = p[c] * factor;
        inverse[r] = factor;
    }
}

// With f the factor: dx = f·dy − x · mean(dy·x) · k, k = f³ for the inner epsilon and f²/rms for the outer one.
SFUMATO_KERNEL
void sfumato_rms_norm_backward(const float *x, const float *dy, const float *inverse, float *dx, int outside,
                               float epsilon, int64_t rows, int64_t channels) {
    for (int64_t r = 0; r < rows; r++) {
        const float *p = x + r * channels, *d = dy + r * channels;
        float factor = inverse[r], rms = 1.0f / factor - epsilon;
        float slope = outside ? (rms > 0 ? factor * factor / rms : 0.0f) : factor * factor * factor;
        float pull = mean_product(p, d, channels) * slope;
        for (int64_t c = 0; c < channels; c++) dx[r * channels + c] = factor * d[c] - pull * p[c];
    }
}

SFUMATO_KERNEL
void sfumato_clamp(const float *x, float *y, float limit, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        float value = x[i] == x[i] ? x[i] : 0.0f;
        value = value > limit ? limit : value;
        y[i] = value < -limit ? -limit : value;
    }
}

SFUMATO_KERNEL
void sfumato_clamp_backward(const float *x, const float *dy, float *dx, float limit, int64_t count) {
    for (int64_t i = 0; i < count; i++) dx[i] = fabsf(x[i]) <= limit ? dy[i] : 0.0f;
}

void sfumato_permute(const float *x, float *y, const int64_t *extents, const int64_t *strides, int64_t rank,
                     int64_t run, int64_t begin, int64_t end) {
    int64_t index[8] = {0}, source = 0, rest = begin;
    for (int64_t axis = rank - 1; axis >= 0; axis--) {
        index[axis] = rest % extents[axis];
        rest /= extents[axis];
        source += index[axis] * strides[axis];
    }
    for (int64_t i = begin; i < end; i++) {
        for (int64_t c = 0; c < run; c++) y[i * run + c] = x[source + c];
        for (int64_t axis = rank - 1; axis >= 0; axis--) {
            index[axis]++;
            source += strides[axis];
            if (index[axis] < extents[axis]) break;
            source -= strides[axis] * extents[axis];
            index[axis] = 0;
        }
    }
}
