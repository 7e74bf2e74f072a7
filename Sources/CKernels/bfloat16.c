#include "bfloat16.h"

#include "numerics.h"

#if defined(__x86_64__)
int sfumato_bfloat16_is_available(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bf16");
}
#else
int sfumato_bfloat16_is_available(void) { return 0; }
#endif

SFUMATO_KERNEL
static void plain_round(const float *x, uint16_t *y, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, 4);
        uint32_t rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
        // Rounding could carry a NaN of small payload into infinity.
        uint32_t quiet = bits >> 16 | 0x40;
        y[i] = (uint16_t)((bits & 0x7FFFFFFF) > 0x7F800000 ? quiet : rounded);
    }
}

#if defined(__x86_64__)
#include <immintrin.h>

// What is smaller than the smallest normal number becomes zero, as it does inside the processor's products.
__attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16"))) static void wide_round(const float *x, uint16_t *y,
                                                                                       int64_t count) {
    int64_t i = 0;
    for (; i + 32 <= count; i += 32) {
        const __m512bh pair = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(x + i + 16), _mm512_loadu_ps(x + i));
        memcpy(y + i, &pair, sizeof pair);
    }
    if (i < count) plain_round(x + i, y + i, count - i);
}
#else
static void wide_round(const float *x, uint16_t *y, int64_t count) {}
#endif

void sfumato_round_bfloat16(const float *x, uint16_t *y, int64_t count) {
    if (sfumato_bfloat16_is_available()) wide_round(x, y, count);
    else plain_round(x, y, count);
}
