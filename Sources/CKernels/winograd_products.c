#include "winograd_parts.h"

#if defined(__x86_64__)
#include <immintrin.h>

INLINE void multiply_block(const struct product *p, const int rows, const int vectors) {
    __m512 sum[ROWS][4];
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++)
#pragma clang loop unroll(full)
        for (int j = 0; j < vectors; j++)
            sum[i][j] = p->accumulates ? _mm512_loadu_ps(p->c + i * p->c_stride + j * LANES)
                                       : _mm512_setzero_ps();
    const float *a = p->a, *b = p->b;
    for (int64_t k = 0; k < p->depth; k++) {
        __m512 line[4];
#pragma clang loop unroll(full)
        for (int j = 0; j < vectors; j++) line[j] = _mm512_loadu_ps(b + j * LANES);
#pragma clang loop unroll(full)
        for (int i = 0; i < rows; i++) {
            __m512 factor = _mm512_set1_ps(a[i * p->row_step]);
#pragma clang loop unroll(full)
            for (int j = 0; j < vectors; j++) sum[i][j] = _mm512_fmadd_ps(factor, line[j], sum[i][j]);
        }
        a += p->step;
        b += p->b_stride;
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++)
#pragma clang loop unroll(full)
        for (int j = 0; j < vectors; j++)
            _mm512_storeu_ps(p->c + i * p->c_stride + j * LANES, sum[i][j]);
}

#define KERNEL(rows, vectors) \
    WIDE static void multiply_##rows##_##vectors(const struct product *p) { multiply_block(p, rows, vectors); }
#define KERNELS(rows) KERNEL(rows, 1) KERNEL(rows, 2) KERNEL(rows, 3) KERNEL(rows, 4)
KERNELS(1) KERNELS(2) KERNELS(3) KERNELS(4) KERNELS(5) KERNELS(6)

#define NAMES(rows) {multiply_##rows##_1, multiply_##rows##_2, multiply_##rows##_3, multiply_##rows##_4}
static void (*const kernels[ROWS][4])(const struct product *) = {NAMES(1), NAMES(2), NAMES(3),
                                                                 NAMES(4), NAMES(5), NAMES(6)};

// All rows of a product whose b is at most 64 columns wide.
void winograd_multiply(struct product p, int64_t rows, int64_t columns) {
    for (int64_t row = 0; row < rows; row += ROWS) {
        kernels[min(ROWS, rows - row) - 1][columns / LANES - 1](&p);
        p.a += ROWS * p.row_step;
        p.c += ROWS * p.c_stride;
    }
}

#endif
