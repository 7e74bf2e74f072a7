#include "philox.h"

#include "parallel.h"
#include <math.h>
#include <string.h>

// A fused multiply-add rounds once where two operations round twice. Without it every processor and every
// clone below gives the same bits.
#pragma STDC FP_CONTRACT OFF

#define CLONES __attribute__((target_clones("avx512f", "avx2", "default")))

// Blocks computed together: enough to fill the vector units, few enough to stay in the first-level cache.
enum { LANES = 64 };

// words[k][j] becomes word k of block first + j. Key: the seed. Counter: block index, then stream.
static inline __attribute__((always_inline)) void philox_blocks(uint64_t seed, uint64_t stream, uint64_t first,
                                                                 uint32_t words[4][LANES]) {
    for (int j = 0; j < LANES; j++) {
        uint64_t block = first + (uint64_t)j;
        uint32_t a = (uint32_t)block, b = (uint32_t)(block >> 32);
        uint32_t c = (uint32_t)stream, d = (uint32_t)(stream >> 32);
        uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
        for (int round = 0; round < 10; round++) {
            uint64_t p = (uint64_t)a * 0xD2511F53u, q = (uint64_t)c * 0xCD9E8D57u;
            uint32_t a2 = (uint32_t)(q >> 32) ^ b ^ k0, c2 = (uint32_t)(p >> 32) ^ d ^ k1;
            b = (uint32_t)q;
            d = (uint32_t)p;
            a = a2;
            c = c2;
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }
        words[0][j] = a;
        words[1][j] = b;
        words[2][j] = c;
        words[3][j] = d;
    }
}

// sqrt(-2 ln u) with u = (word + 1) / 2^32 in (0, 1]. ln m = 2 artanh((m-1)/(m+1)) on m in [0.7, 1.4).
static inline __attribute__((always_inline)) float radius(uint32_t word) {
    float u = ((float)word + 1.0f) * 0x1p-32f;
    uint32_t bits;
    memcpy(&bits, &u, 4);
    uint32_t shifted = bits - 0x3F3504F3u;  // bits of sqrt(1/2)
    int32_t exponent = (int32_t)shifted >> 23;
    bits = (shifted & 0x007FFFFFu) + 0x3F3504F3u;
    float m;
    memcpy(&m, &bits, 4);
    float s = (m - 1.0f) / (m + 1.0f), z = s * s;
    float series = 1.0f + z * (0.33333333f + z * (0.2f + z * (0.14285714f + z * 0.11111111f)));
    float ln = (float)exponent * 0.69314718f + 2.0f * s * series;
    return sqrtf(fmaxf(-2.0f * ln, 0.0f));
}

// cos and sin of 2 pi word / 2^32: the nearest quarter turn, and Taylor series on the remaining +-pi/4.
static inline __attribute__((always_inline)) void turn(uint32_t word, float *cosine, float *sine) {
    uint32_t quarter = (word + 0x20000000u) >> 30;
    float x = (float)(int32_t)(word - (quarter << 30)) * 1.46291808e-9f;  // 2 pi / 2^32
    float z = x * x;
    float s = x * (1.0f + z * (-0.16666667f + z * (8.3333333e-3f + z * (-1.9841270e-4f + z * 2.7557319e-6f))));
    float c = 1.0f + z * (-0.5f + z * (4.1666667e-2f + z * (-1.3888889e-3f + z * 2.4801587e-5f)));
    float even = (quarter & 1) ? s : c, odd = (quarter & 1) ? c : s;
    *cosine = ((quarter + 1) & 2) ? -even : even;
    *sine = (quarter & 2) ? -odd : odd;
}

CLONES static void normal_batch(uint64_t seed, uint64_t stream, uint64_t first, float *restrict out) {
    uint32_t words[4][LANES];
    float normals[4][LANES];
    philox_blocks(seed, stream, first, words);
    for (int pair = 0; pair < 4; pair += 2)
        for (int j = 0; j < LANES; j++) {
            float r = radius(words[pair][j]), cosine, sine;
            turn(words[pair + 1][j], &cosine, &sine);
            normals[pair][j] = r * cosine;
            normals[pair + 1][j] = r * sine;
        }
    for (int j = 0; j < LANES; j++)
        for (int k = 0; k < 4; k++) out[4 * j + k] = normals[k][j];
}

// 23 bits and a half step: never 0, never 1, every value exact in float.
CLONES static void uniform_batch(uint64_t seed, uint64_t stream, uint64_t first, float *restrict out) {
    uint32_t words[4][LANES];
    philox_blocks(seed, stream, first, words);
    for (int j = 0; j < LANES; j++)
        for (int k = 0; k < 4; k++) out[4 * j + k] = ((float)(int32_t)(words[k][j] >> 9) + 0.5f) * 0x1p-23f;
}

struct fill {
    uint64_t seed, stream, first;
    float *out;
    void (*batch)(uint64_t, uint64_t, uint64_t, float *);
};

static void fill_part(void *context, int64_t begin, int64_t end) {
    const struct fill *f = context;
    enum { BATCH = 4 * LANES };
    float spare[BATCH];
    while (begin < end) {
        uint64_t index = f->first + (uint64_t)begin;
        int64_t skipped = (int64_t)(index & 3), wanted = end - begin;
        if (skipped == 0 && wanted >= BATCH) {
            f->batch(f->seed, f->stream, index >> 2, f->out + begin);
            begin += BATCH;
            continue;
        }
        int64_t count = BATCH - skipped < wanted ? BATCH - skipped : wanted;
        f->batch(f->seed, f->stream, index >> 2, spare);
        memcpy(f->out + begin, spare + skipped, (size_t)count * sizeof(float));
        begin += count;
    }
}

void sfumato_fill_normals(uint64_t seed, uint64_t stream, uint64_t first, int64_t count, float *out) {
    struct fill f = {seed, stream, first, out, normal_batch};
    sfumato_parallel_for(count, 1 << 15, &f, fill_part);
}

void sfumato_fill_uniforms(uint64_t seed, uint64_t stream, uint64_t first, int64_t count, float *out) {
    struct fill f = {seed, stream, first, out, uniform_batch};
    sfumato_parallel_for(count, 1 << 15, &f, fill_part);
}
