// What the two passes of winograd.c and winograd_gradient.c share; not part of the module.
#pragma once
#include "winograd.h"

// Functions that use 512-bit vectors; they run only where the processor was asked first.
#define WIDE __attribute__((target("avx512f")))
#define INLINE static inline __attribute__((always_inline, target("avx512f")))

enum { LANES = 16, BLOCK = 64, POSITIONS = 36, ROWS = 6 };

// The points of interpolation that are neither 0 nor ∞, up to their sign.
#define A1 0.70710678118654752440
#define B1 1.41421356237309504880

static inline int64_t min(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t max(int64_t a, int64_t b) { return a > b ? a : b; }

struct tiles {
    int64_t across, down, count;
};

static inline int64_t output_height(const struct sfumato_winograd *w) { return w->height + 2 * w->padding - 2; }
static inline int64_t output_width(const struct sfumato_winograd *w) { return w->width + 2 * w->padding - 2; }

static inline struct tiles tiles_of(const struct sfumato_winograd *w) {
    struct tiles t = {(output_width(w) + 3) / 4, (output_height(w) + 3) / 4, 0};
    t.count = t.across * t.down * w->batch;
    return t;
}

// Scalars from one position of a group of transformed tiles to the next: a cache line more than the data, so that the
// positions do not all fall into the same sets of the cache.
static inline int64_t position_stride(int64_t tiles, int64_t channels) { return tiles * channels + LANES; }

// Scalars of one group of transformed tiles, of the inputs and of the outputs.
static inline int64_t group_scalars(const struct sfumato_winograd *w, int64_t group) {
    return POSITIONS * (position_stride(group, w->inputs) + position_stride(group, w->outputs));
}

// Rows of G: powers of each point divided by the product of its differences to the other points.
void winograd_weight_transform(double g[6][3]);

// Bᵀ d B of `count` tiles from `first` on: v[position][tile][inputs], positions `stride` apart.
void winograd_transform_inputs(const struct sfumato_winograd *w, const struct tiles *t, const float *x, int64_t first,
                               int64_t count, float *v, int64_t stride);
// Aᵀ m A of `count` tiles, with bias and rectification, into the image.
void winograd_transform_outputs(const struct sfumato_winograd *w, const struct tiles *t, const float *m,
                                int64_t stride, int64_t first, int64_t count, const float *bias, int rectified,
                                float *y);
// A dy Aᵀ of the outputs `from`..<`to` of `count` tiles: z[position][tile][to − from].
void winograd_transform_gradients(const struct sfumato_winograd *w, const struct tiles *t, const float *dy,
                                  int64_t first, int64_t count, int64_t from, int64_t to, float *z,
                                  int64_t stride);

// c[row, column] (+)= Σ_k a[row·row_step + k·step]·b[k·b_stride + column], each sum in the order of k.
struct product {
    const float *a;
    int64_t row_step, step;
    const float *b;
    int64_t b_stride;
    float *c;
    int64_t c_stride, depth;
    int accumulates;
};

// All rows of a product whose b is at most 64 columns wide.
void winograd_multiply(struct product p, int64_t rows, int64_t columns);
