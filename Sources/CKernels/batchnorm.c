#include "batchnorm.h"
#include "numerics.h"

SFUMATO_KERNEL
void sfumato_sum_squared_deviations(const float *x, const float *mean, float *sum, int64_t rows,
                                    int64_t channels) {
    for (int64_t r = 0; r < rows; r++, x += channels)
        for (int64_t c = 0; c < channels; c++) sum[c] += (x[c] - mean[c]) * (x[c] - mean[c]);
}

SFUMATO_KERNEL
void sfumato_normalize_channels(const float *x, const float *mean, const float *scale, const float *shift,
                                float *y, int64_t rows, int64_t channels) {
    for (int64_t r = 0; r < rows; r++, x += channels, y += channels)
        for (int64_t c = 0; c < channels; c++) y[c] = (x[c] - mean[c]) * scale[c] + shift[c];
}

SFUMATO_KERNEL
void sfumato_batch_norm_sums(const float *x, const float *dy, const float *mean, const float *inverse,
                             float *sum_dy, float *sum_product, int64_t rows, int64_t channels) {
    for (int64_t r = 0; r < rows; r++, x += channels, dy += channels)
        for (int64_t c = 0; c < channels; c++) {
            sum_dy[c] += dy[c];
            sum_product[c] += dy[c] * ((x[c] - mean[c]) * inverse[c]);
        }
}

SFUMATO_KERNEL
void sfumato_batch_norm_backward(const float *x, const float *dy, const float *mean, const float *inverse,
                                 const float *scale, const float *mean_dy, const float *mean_product,
                                 float *dx, int64_t rows, int64_t channels) {
    for (int64_t r = 0; r < rows; r++, x += channels, dy += channels, dx += channels)
        for (int64_t c = 0; c < channels; c++)
            dx[c] = scale[c] * (dy[c] - mean_dy[c] - (x[c] - mean[c]) * inverse[c] * mean_product[c]);
}
