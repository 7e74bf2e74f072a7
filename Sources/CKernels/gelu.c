#include "gelu.h"
#include "numerics.h"

SFUMATO_KERNEL
static void plain_gelu(const float *x, float *y, int64_t count) {
    EXACT_OR_APART
    for (int64_t i = 0; i < count; i++) y[i] = fast_gelu(x[i]);
}

SFUMATO_KERNEL
static void plain_slope(const float *x, float *slope, int64_t count) {
    EXACT_OR_APART
    for (int64_t i = 0; i < count; i++) slope[i] = fast_gelu_slope(x[i]);
}

#if defined(__x86_64__)
#include <immintrin.h>
#include "gelu_tables.h"

#define WIDE __attribute__((target("avx512f,avx512dq")))
#define WIDE_INLINE static inline __attribute__((always_inline, target("avx512f,avx512dq")))
enum { LANES = 16, TERMS = 6 };

// One polynomial for each of 32 intervals, its coefficients picked by permutations of two registers each.
struct table {
    __m512 low[TERMS], high[TERMS];
};

WIDE_INLINE struct table load(const float coefficients[TERMS][32]) {
    struct table t;
    for (int k = 0; k < TERMS; k++) {
        t.low[k] = _mm512_load_ps(coefficients[k]);
        t.high[k] = _mm512_load_ps(coefficients[k] + LANES);
    }
    return t;
}

struct place {
    __m512 distance, offset;
    __m512i interval;
};

// Where |x| lies, which is taken to be 7.8 at most: there the tail is 3e-15.
WIDE_INLINE struct place locate(__m512 x) {
    // Adding 1.5·2^23 rounds to the nearest integer and leaves it in the low bits, of which a permutation sees five.
    const __m512 magic = _mm512_set1_ps(12582912.0f), four = _mm512_set1_ps(4.0f);
    // The second operand is the result where the first is not a number.
    __m512 z = _mm512_min_ps(_mm512_abs_ps(x), _mm512_set1_ps(7.8f));
    __m512 shifted = _mm512_fmadd_ps(z, four, magic), nearest = _mm512_sub_ps(shifted, magic);
    return (struct place){z, _mm512_fmsub_ps(z, four, nearest), _mm512_castps_si512(shifted)};
}

WIDE_INLINE __m512 evaluate(const struct table *t, struct place p) {
    __m512 y = _mm512_permutex2var_ps(t->low[TERMS - 1], p.interval, t->high[TERMS - 1]);
    for (int k = TERMS - 2; k >= 0; k--)
        y = _mm512_fmadd_ps(y, p.offset, _mm512_permutex2var_ps(t->low[k], p.interval, t->high[k]));
    return y;
}

// Values below −5, where the table would not keep the relative precision of a result that is nearly nothing.
__attribute__((noinline, target("avx512f,avx512dq"))) static __m512 with_far_tail(__m512 x, __m512 y, __mmask16 far) {
    float values[LANES] __attribute__((aligned(64)));
    _mm512_store_ps(values, x);
    plain_gelu(values, values, LANES);
    return _mm512_mask_mov_ps(y, far, _mm512_load_ps(values));
}

// max(x, 0) − |x|·tail. What is no number stays so: as the second operand it is the result.
WIDE_INLINE __m512 gelu_of(__m512 x, struct place p, __m512 tail) {
    const __m512 y = _mm512_fnmadd_ps(p.distance, tail, _mm512_max_ps(_mm512_setzero_ps(), x));
    const __mmask16 far = _mm512_cmp_ps_mask(x, _mm512_set1_ps(-5.0f), _CMP_LT_OQ);
    return __builtin_expect(far != 0, 0) ? with_far_tail(x, y, far) : y;
}

// `low` for x < 0, else 1 − low.
WIDE_INLINE __m512 slope_of(__m512 x, __m512 low) {
    __mmask16 upper = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_GE_OQ);
    __m512 slope = _mm512_mask_sub_ps(low, upper, _mm512_set1_ps(1.0f), low);
    return _mm512_mask_mov_ps(slope, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), x);
}

// What is done to sixteen scalars, and to fewer at the end of a row. Masked stores are kept for the latter: reading what one
// has just written waits until it has reached the cache.
#define EACH(body)                                                                                           \
    int64_t i = 0;                                                                                           \
    for (; i + LANES <= count; i += LANES) {                                                                 \
        const __m512 v = _mm512_loadu_ps(x + i);                                                             \
        const struct place p = locate(v);                                                                    \
        body(_mm512_storeu_ps)                                                                               \
    }                                                                                                        \
    if (i < count) {                                                                                         \
        const __mmask16 mask = (__mmask16)((1u << (count - i)) - 1);                                         \
        const __m512 v = _mm512_maskz_loadu_ps(mask, x + i);                                                 \
        const struct place p = locate(v);                                                                    \
        body(MASKED)                                                                                         \
    }
#define MASKED(target, value) _mm512_mask_storeu_ps(target, mask, value)

WIDE static void wide_gelu(const float *x, float *y, int64_t count) {
    const struct table tail = load(gelu_tail);
#define BODY(store) store(y + i, gelu_of(v, p, evaluate(&tail, p)));
    EACH(BODY)
#undef BODY
}

WIDE static void wide_slope(const float *x, float *slope, int64_t count) {
    const struct table low = load(gelu_slope);
#define BODY(store) store(slope + i, slope_of(v, evaluate(&low, p)));
    EACH(BODY)
#undef BODY
}

WIDE static void wide_both(const float *x, float *y, float *slope, int64_t count) {
    const struct table tail = load(gelu_tail), low = load(gelu_slope);
#define BODY(store)                                                                                          \
    const __m512 u = gelu_of(v, p, evaluate(&tail, p)), s = slope_of(v, evaluate(&low, p));                  \
    store(y + i, u);                                                                                         \
    store(slope + i, s);
    EACH(BODY)
#undef BODY
}

static int is_wide(void) { return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"); }
#else
static int is_wide(void) { return 0; }
static void wide_gelu(const float *x, float *y, int64_t count) {}
static void wide_slope(const float *x, float *slope, int64_t count) {}
static void wide_both(const float *x, float *y, float *slope, int64_t count) {}
#endif

void sfumato_gelu(const float *x, float *y, int64_t count) {
    if (is_wide()) wide_gelu(x, y, count);
    else plain_gelu(x, y, count);
}

void sfumato_gelu_slope(const float *x, float *slope, int64_t count) {
    if (is_wide()) wide_slope(x, slope, count);
    else plain_slope(x, slope, count);
}

void sfumato_gelu_and_slope(const float *x, float *y, float *slope, int64_t count) {
    if (is_wide()) {
        wide_both(x, y, slope, count);
    } else {
        plain_slope(x, slope, count);
        plain_gelu(x, y, count);
    }
}
