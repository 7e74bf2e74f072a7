#include "movement.h"

// `row` counts (n, y) of the low-resolution side; the r pixel rows above it are contiguous in memory.
void sfumato_pixel_unshuffle(const float *in, float *out, int64_t begin, int64_t end, int64_t width,
                             int64_t channels, int64_t r) {
    for (int64_t row = begin; row < end; row++)
        for (int64_t i = 0; i < r; i++) {
            const float *source = in + ((row * r + i) * width * r) * channels;
            for (int64_t x = 0; x < width; x++) {
                float *target = out + (row * width + x) * channels * r * r + i * r;
                for (int64_t j = 0; j < r; j++, source += channels)
                    for (int64_t c = 0; c < channels; c++) target[c * r * r + j] = source[c];
            }
        }
}

void sfumato_pixel_shuffle(const float *in, float *out, int64_t begin, int64_t end, int64_t width,
                           int64_t channels, int64_t r) {
    for (int64_t row = begin; row < end; row++)
        for (int64_t i = 0; i < r; i++) {
            float *target = out + ((row * r + i) * width * r) * channels;
            for (int64_t x = 0; x < width; x++) {
                const float *source = in + (row * width + x) * channels * r * r + i * r;
                for (int64_t j = 0; j < r; j++, target += channels)
                    for (int64_t c = 0; c < channels; c++) target[c] = source[c * r * r + j];
            }
        }
}
