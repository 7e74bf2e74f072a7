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
void sfumato_round_bfloat16(const float *x, uint16_t *y, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, 4);
        uint32_t rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
        // Rounding could carry a NaN of small payload into infinity.
        uint32_t quiet = bits >> 16 | 0x40;
        y[i] = (uint16_t)((bits & 0x7FFFFFFF) > 0x7F800000 ? quiet : rounded);
    }
}
