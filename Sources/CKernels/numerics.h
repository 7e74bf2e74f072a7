// Vectorisable float32 functions. Written without branches and library calls, so that the loops around them
// become vector code; every polynomial below is our own fit, its largest relative error beside it.
#pragma once
#include <math.h>
#include <stdint.h>
#include <string.h>

/// Each kernel is compiled three times and the best version for the processor is bound at load time.
#define SFUMATO_KERNEL __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
/// Before a loop whose results either take their operands' place exactly or lie elsewhere: it becomes vector code in
/// both cases.
#define EXACT_OR_APART _Pragma("clang loop vectorize(assume_safety)")
/// The same for a loop over the channels of one row, often few: one vector at a time.
#define EACH_CHANNEL                                                                                         \
    _Pragma("clang loop vectorize(assume_safety) vectorize_width(16) interleave_count(1)")
#define SFUMATO_INLINE static inline __attribute__((always_inline))

/// Scalars of an intermediate result that stays in the first-level cache, and how many of the rest are the next ones.
enum { CHUNK = 1024 };
SFUMATO_INLINE int64_t chunk(int64_t rest) { return rest < CHUNK ? rest : CHUNK; }

/// e^x, relative error below 1e-7; 0 below −87.3, the largest finite value's neighbourhood above 88.7.
SFUMATO_INLINE float fast_exp(float x) {
    x = x < -87.33f ? -87.33f : x;
    x = x > 88.72f ? 88.72f : x;
    // Adding 1.5·2^23 rounds to the nearest integer and leaves it in the low mantissa bits.
    const float magic = 12582912.0f;
    float shifted = x * 1.44269504f + magic;
    float n = shifted - magic;
    float f = (x - n * 0.693145752f) - n * 1.42860677e-6f;  // ln 2 in two parts
    f *= 1.44269504f;
    // 2^f on [−½, ½], fitted to 1.9e-9.
    float p = 0.000153458081f;
    p = p * f + 0.00133999309f;
    p = p * f + 0.00961848907f;
    p = p * f + 0.0555032864f;
    p = p * f + 0.240226462f;
    p = p * f + 0.693147182f;
    p = p * f + 1.0f;
    int32_t bits;
    memcpy(&bits, &shifted, 4);
    // The exponent is added in two halves: 2^128 alone would overflow although 2^127·2 times p need not.
    int32_t k = bits - 0x4B400000, half = k >> 1, rest = k - half;
    int32_t e1 = (half + 127) << 23, e2 = (rest + 127) << 23;
    float s1, s2;
    memcpy(&s1, &e1, 4);
    memcpy(&s2, &e2, 4);
    return p * s1 * s2;
}

SFUMATO_INLINE float fast_sigmoid(float x) { return 1.0f / (1.0f + fast_exp(-x)); }

/// erfc(z)·e^{z²} for z ≥ 0 as t·P(t), t = 1/(1 + 0.4 z), fitted on [0, 10] to 7.8e-9.
SFUMATO_INLINE float scaled_erfc(float z) {
    float t = 1.0f / (1.0f + 0.4f * z);
    float p = -0.0295943376f;
    p = p * t + 0.198013216f;
    p = p * t + -0.498811383f;
    p = p * t + 0.547435462f;
    p = p * t + -0.284366697f;
    p = p * t + 0.272066236f;
    p = p * t + 0.129679605f;
    p = p * t + 0.214919105f;
    p = p * t + 0.224952027f;
    p = p * t + 0.225706905f;
    return p * t;
}

/// Φ(x), the normal distribution function, relative error near 1e-7 on both tails, and e^{−x²/2}.
SFUMATO_INLINE float normal_cdf(float x, float *gaussian) {
    float z = fabsf(x) * 0.707106781f;
    float e = fast_exp(-0.5f * x * x);
    float tail = 0.5f * e * scaled_erfc(z);
    *gaussian = e;
    return x < 0 ? tail : 1.0f - tail;
}

SFUMATO_INLINE float fast_gelu(float x) {
    float e;
    return x * normal_cdf(x, &e);
}

/// GELU'(x) = Φ(x) + x·φ(x).
SFUMATO_INLINE float fast_gelu_slope(float x) {
    float e, cdf = normal_cdf(x, &e);
    return cdf + x * e * 0.398942280f;
}

/// tanh with full relative accuracy near zero, where 1 − 2/(e^{2x}+1) would cancel.
SFUMATO_INLINE float fast_tanh(float x) {
    float a = fabsf(x), s = x * x;
    float large = 1.0f - 2.0f / (fast_exp(2.0f * a) + 1.0f);
    float small = a * (1.0f + s * (-0.33333334f + s * (0.13333334f + s * (-0.05396825f + s * 0.02186949f))));
    float y = a < 0.25f ? small : large;
    return x < 0 ? -y : y;
}
