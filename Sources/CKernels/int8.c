#include "int8.h"

#include "numerics.h"

#if defined(__x86_64__)
int sfumato_int8_is_available(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vnni");
}
#else
int sfumato_int8_is_available(void) { return 0; }
#endif

SFUMATO_KERNEL
void sfumato_quantize(const float *x, uint8_t *y, const float *factors, float zero, float low, float high,
                      int64_t rows, int64_t channels) {
    for (int64_t row = 0; row < rows; row++, x += channels, y += channels) {
        for (int64_t c = 0; c < channels; c++) {
            float value = x[c] * factors[c] + zero;
            // The comparison fails for what is not a number.
            value = value > low ? value : low;
            value = value < high ? value : high;
            // Adding 1.5·2^23 rounds to the nearest integer and leaves it in the low bits.
            float shifted = value + 12582912.0f;
            int32_t bits;
            memcpy(&bits, &shifted, 4);
            y[c] = (uint8_t)bits;
        }
    }
}

SFUMATO_KERNEL
void sfumato_channel_range(const float *x, float *low, float *high, int64_t rows, int64_t channels) {
    for (int64_t row = 0; row < rows; row++, x += channels) {
        for (int64_t c = 0; c < channels; c++) {
            // Neither comparison holds for what is not a number, which is then taken over, and kept.
            low[c] = x[c] >= low[c] || low[c] != low[c] ? low[c] : x[c];
            high[c] = x[c] <= high[c] || high[c] != high[c] ? high[c] : x[c];
        }
    }
}
