#include "winograd.h"

#include <string.h>

#include "parallel.h"

#if defined(__x86_64__)
#include <immintrin.h>

// Functions that use 512-bit vectors; they run only where the processor was asked first.
#define WIDE __attribute__((target("avx512f")))
#define INLINE static inline __attribute__((always_inline, target("avx512f")))

enum { LANES = 16, BLOCK = 64, POSITIONS = 36, ROWS = 6 };

// The points and their powers.
#define A1 0.70710678118654752440
#define B1 1.41421356237309504880

static int64_t min(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t max(int64_t a, int64_t b) { return a > b ? a : b; }

int sfumato_winograd_is_available(void) { return __builtin_cpu_supports("avx512f"); }

// MARK: Tiles

struct tiles {
    int64_t across, down, count;
};

static int64_t output_height(const struct sfumato_winograd *w) { return w->height + 2 * w->padding - 2; }
static int64_t output_width(const struct sfumato_winograd *w) { return w->width + 2 * w->padding - 2; }

static struct tiles tiles_of(const struct sfumato_winograd *w) {
    struct tiles t = {(output_width(w) + 3) / 4, (output_height(w) + 3) / 4, 0};
    t.count = t.across * t.down * w->batch;
    return t;
}

// Scalars from one position of a group of transformed tiles to the next: a cache line more than the data, so that the
// positions do not all fall into the same sets of the cache.
static int64_t position_stride(int64_t tiles, int64_t channels) { return tiles * channels + LANES; }

// MARK: Weights

// Rows of G: powers of each point divided by the product of its differences to the other points.
static void weight_transform(double g[6][3]) {
    const double points[5] = {0, A1, -A1, B1, -B1};
    for (int i = 0; i < 5; i++) {
        double divisor = 1;
        for (int j = 0; j < 5; j++)
            if (j != i) divisor *= points[i] - points[j];
        g[i][0] = 1 / divisor;
        g[i][1] = points[i] / divisor;
        g[i][2] = points[i] * points[i] / divisor;
    }
    g[5][0] = g[5][1] = 0;
    g[5][2] = 1;
}

int64_t sfumato_winograd_packed_count(int64_t inputs, int64_t outputs) {
    return POSITIONS * inputs * outputs;
}

struct packing {
    const float *weight;
    float *packed;
    int64_t inputs, outputs, published_inputs;
    int transposed;
};

// The nine weights between one input and sixteen outputs, as the transform wants them.
WIDE static void gather_weights(const struct packing *p, int64_t input, int64_t output, double w[9][LANES]) {
    for (int lane = 0; lane < LANES; lane++) {
        const float *source = p->transposed
                                  ? p->weight + (input * p->published_inputs + output + lane) * 9
                                  : p->weight + ((output + lane) * p->published_inputs + input) * 9;
        for (int k = 0; k < 9; k++) w[k][lane] = source[p->transposed ? 8 - k : k];
    }
}

// Packed: for each position, for each block of up to 64 outputs, [inputs, block].
WIDE static void pack_blocks(void *raw, int64_t begin, int64_t end) {
    const struct packing *p = raw;
    double g[6][3];
    weight_transform(g);
    for (int64_t unit = begin; unit < end; unit++) {
        int64_t i = unit % p->inputs, first = unit / p->inputs * BLOCK, width = min(BLOCK, p->outputs - first);
        float *target = p->packed + first * p->inputs + i * width;
        for (int64_t o = 0; o < width; o += LANES) {
            double w[9][LANES], half[6][3][LANES];
            gather_weights(p, i, first + o, w);
            for (int a = 0; a < 6; a++)
                for (int x = 0; x < 3; x++)
                    for (int lane = 0; lane < LANES; lane++)
                        half[a][x][lane] = g[a][0] * w[x][lane] + g[a][1] * w[3 + x][lane] + g[a][2] * w[6 + x][lane];
            for (int a = 0; a < 6; a++)
                for (int b = 0; b < 6; b++) {
                    float *line = target + (a * 6 + b) * p->inputs * p->outputs + o;
                    for (int lane = 0; lane < LANES; lane++)
                        line[lane] = (float)(half[a][0][lane] * g[b][0] + half[a][1][lane] * g[b][1] +
                                             half[a][2][lane] * g[b][2]);
                }
        }
    }
}

void sfumato_winograd_pack(const float *weight, float *packed, int64_t inputs, int64_t outputs, int transposed) {
    struct packing p = {weight, packed, transposed ? outputs : inputs, transposed ? inputs : outputs, inputs,
                        transposed};
    sfumato_parallel_for((p.outputs + BLOCK - 1) / BLOCK * p.inputs, 1, &p, pack_blocks);
}

// MARK: Transforms

// Bᵀ d for one column or row.
INLINE void input_lines(const __m512 d[6], __m512 v[6]) {
    const __m512 a = _mm512_set1_ps((float)A1), b = _mm512_set1_ps((float)B1), two = _mm512_set1_ps(2),
                 half = _mm512_set1_ps(0.5f), c = _mm512_set1_ps(2.5f);
    v[0] = _mm512_fnmadd_ps(c, d[2], _mm512_add_ps(d[0], d[4]));
    v[5] = _mm512_fnmadd_ps(c, d[3], _mm512_add_ps(d[1], d[5]));
    __m512 even = _mm512_fnmadd_ps(two, d[2], d[4]), odd = _mm512_fnmadd_ps(two, d[1], d[3]);
    v[1] = _mm512_fmadd_ps(a, odd, even);
    v[2] = _mm512_fnmadd_ps(a, odd, even);
    even = _mm512_fnmadd_ps(half, d[2], d[4]);
    odd = _mm512_fnmadd_ps(half, d[1], d[3]);
    v[3] = _mm512_fmadd_ps(b, odd, even);
    v[4] = _mm512_fnmadd_ps(b, odd, even);
}

// Aᵀ m for one column or row.
INLINE void output_lines(const __m512 m[6], __m512 y[4]) {
    const __m512 a = _mm512_set1_ps((float)A1), b = _mm512_set1_ps((float)B1), two = _mm512_set1_ps(2),
                 half = _mm512_set1_ps(0.5f), a3 = _mm512_set1_ps((float)(A1 / 2)),
                 b3 = _mm512_set1_ps((float)(2 * B1));
    __m512 s1 = _mm512_add_ps(m[1], m[2]), d1 = _mm512_sub_ps(m[1], m[2]);
    __m512 s2 = _mm512_add_ps(m[3], m[4]), d2 = _mm512_sub_ps(m[3], m[4]);
    y[0] = _mm512_add_ps(m[0], _mm512_add_ps(s1, s2));
    y[1] = _mm512_fmadd_ps(a, d1, _mm512_mul_ps(b, d2));
    y[2] = _mm512_fmadd_ps(half, s1, _mm512_mul_ps(two, s2));
    y[3] = _mm512_fmadd_ps(a3, d1, _mm512_fmadd_ps(b3, d2, m[5]));
}

// A y, the transpose of the above.
INLINE void gradient_lines(const __m512 y[4], __m512 z[6]) {
    const __m512 a = _mm512_set1_ps((float)A1), b = _mm512_set1_ps((float)B1), two = _mm512_set1_ps(2),
                 half = _mm512_set1_ps(0.5f);
    z[0] = y[0];
    z[5] = y[3];
    __m512 even = _mm512_fmadd_ps(half, y[2], y[0]), odd = _mm512_fmadd_ps(half, y[3], y[1]);
    z[1] = _mm512_fmadd_ps(a, odd, even);
    z[2] = _mm512_fnmadd_ps(a, odd, even);
    even = _mm512_fmadd_ps(two, y[2], y[0]);
    odd = _mm512_fmadd_ps(two, y[3], y[1]);
    z[3] = _mm512_fmadd_ps(b, odd, even);
    z[4] = _mm512_fnmadd_ps(b, odd, even);
}

static const float zeros[LANES] __attribute__((aligned(64)));

// Addresses of a square of pixels; those outside of the image are null.
static void locate(const float *image, int64_t height, int64_t width, int64_t channels, int64_t y, int64_t x,
                   int side, const float **pixels) {
    for (int i = 0; i < side; i++)
        for (int j = 0; j < side; j++) {
            int inside = y + i >= 0 && y + i < height && x + j >= 0 && x + j < width;
            pixels[i * side + j] = inside ? image + ((y + i) * width + x + j) * channels : 0;
        }
}

static const float *start_of(const struct sfumato_winograd *w, const struct tiles *t, int64_t tile, int64_t *y,
                             int64_t *x, const float *images, int64_t image_size) {
    int64_t image = tile / (t->across * t->down), rest = tile % (t->across * t->down);
    *y = rest / t->across * 4;
    *x = rest % t->across * 4;
    (void)w;
    return images + image * image_size;
}

// Bᵀ d B of `count` tiles from `first` on: v[position][tile][inputs].
WIDE static void transform_inputs(const struct sfumato_winograd *w, const struct tiles *t, const float *x,
                                  int64_t first, int64_t count, float *v, int64_t stride) {
    for (int64_t tile = 0; tile < count; tile++) {
        const float *pixels[36];
        int64_t top, left;
        const float *image =
            start_of(w, t, first + tile, &top, &left, x, w->height * w->width * w->inputs);
        locate(image, w->height, w->width, w->inputs, top - w->padding, left - w->padding, 6, pixels);
        float *target = v + tile * w->inputs;
        // The columns that the next tile adds are on their way while this one is transformed.
        if (left + 4 - w->padding + 6 <= w->width && top - w->padding >= 0 && top - w->padding + 6 <= w->height)
            for (int i = 0; i < 6; i++) {
                const float *next = pixels[i * 6 + 5] + w->inputs;
                for (int64_t c = 0; c < 4 * w->inputs; c += LANES) __builtin_prefetch(next + c, 0);
            }
        for (int64_t c = 0; c < w->inputs; c += LANES) {
            __m512 half[6][6];
#pragma clang loop unroll(full)
            for (int j = 0; j < 6; j++) {
                __m512 d[6], lines[6];
#pragma clang loop unroll(full)
                for (int i = 0; i < 6; i++) {
                    const float *pixel = pixels[i * 6 + j];
                    d[i] = _mm512_loadu_ps(pixel ? pixel + c : zeros);
                }
                input_lines(d, lines);
#pragma clang loop unroll(full)
                for (int i = 0; i < 6; i++) half[i][j] = lines[i];
            }
#pragma clang loop unroll(full)
            for (int i = 0; i < 6; i++) {
                __m512 lines[6];
                input_lines(half[i], lines);
#pragma clang loop unroll(full)
                for (int j = 0; j < 6; j++) _mm512_storeu_ps(target + (i * 6 + j) * stride + c, lines[j]);
            }
        }
    }
}

// Aᵀ m A of `count` tiles, with bias and rectification, into the image.
WIDE static void transform_outputs(const struct sfumato_winograd *w, const struct tiles *t, const float *m,
                                   int64_t stride, int64_t first, int64_t count, const float *bias,
                                   int rectified, float *y) {
    int64_t height = output_height(w), width = output_width(w);
    for (int64_t tile = 0; tile < count; tile++) {
        int64_t top, left;
        float *image = (float *)start_of(w, t, first + tile, &top, &left, y, height * width * w->outputs);
        int64_t rows = min(4, height - top), columns = min(4, width - left);
        const float *source = m + tile * w->outputs;
        // So are the lines that the next tile will write.
        if (left + 8 <= width)
            for (int i = 0; i < rows; i++) {
                const float *next = image + ((top + i) * width + left + 4) * w->outputs;
                for (int64_t c = 0; c < 4 * w->outputs; c += LANES) __builtin_prefetch(next + c, 1);
            }
        for (int64_t c = 0; c < w->outputs; c += LANES) {
            __m512 half[4][6];
#pragma clang loop unroll(full)
            for (int j = 0; j < 6; j++) {
                __m512 column[6], lines[4];
#pragma clang loop unroll(full)
                for (int i = 0; i < 6; i++) column[i] = _mm512_loadu_ps(source + (i * 6 + j) * stride + c);
                output_lines(column, lines);
#pragma clang loop unroll(full)
                for (int i = 0; i < 4; i++) half[i][j] = lines[i];
            }
            __m512 shift = bias ? _mm512_loadu_ps(bias + c) : _mm512_setzero_ps();
            for (int i = 0; i < rows; i++) {
                __m512 lines[4];
                output_lines(half[i], lines);
                float *row = image + ((top + i) * width + left) * w->outputs + c;
                for (int j = 0; j < columns; j++) {
                    __m512 value = _mm512_add_ps(lines[j], shift);
                    if (rectified) value = _mm512_max_ps(_mm512_setzero_ps(), value);
                    _mm512_storeu_ps(row + j * w->outputs, value);
                }
            }
        }
    }
}

// A dy Aᵀ of the outputs `from`..<`to` of `count` tiles: z[position][tile][to − from].
WIDE static void transform_gradients(const struct sfumato_winograd *w, const struct tiles *t, const float *dy,
                                     int64_t first, int64_t count, int64_t from, int64_t to, float *z,
                                     int64_t stride) {
    int64_t height = output_height(w), width = output_width(w);
    for (int64_t tile = 0; tile < count; tile++) {
        const float *pixels[16];
        int64_t top, left;
        const float *image = start_of(w, t, first + tile, &top, &left, dy, height * width * w->outputs);
        locate(image, height, width, w->outputs, top, left, 4, pixels);
        float *target = z + tile * (to - from);
        for (int64_t c = from; c < to; c += LANES) {
            __m512 half[6][4];
#pragma clang loop unroll(full)
            for (int j = 0; j < 4; j++) {
                __m512 column[4], lines[6];
#pragma clang loop unroll(full)
                for (int i = 0; i < 4; i++) {
                    const float *pixel = pixels[i * 4 + j];
                    column[i] = _mm512_loadu_ps(pixel ? pixel + c : zeros);
                }
                gradient_lines(column, lines);
#pragma clang loop unroll(full)
                for (int i = 0; i < 6; i++) half[i][j] = lines[i];
            }
#pragma clang loop unroll(full)
            for (int i = 0; i < 6; i++) {
                __m512 lines[6];
                gradient_lines(half[i], lines);
#pragma clang loop unroll(full)
                for (int j = 0; j < 6; j++)
                    _mm512_storeu_ps(target + (i * 6 + j) * stride + c - from, lines[j]);
            }
        }
    }
}

// MARK: Products

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
static void multiply(struct product p, int64_t rows, int64_t columns) {
    for (int64_t row = 0; row < rows; row += ROWS) {
        kernels[min(ROWS, rows - row) - 1][columns / LANES - 1](&p);
        p.a += ROWS * p.row_step;
        p.c += ROWS * p.c_stride;
    }
}

// MARK: Forward

struct forward {
    const struct sfumato_winograd *w;
    struct tiles tiles;
    const float *x, *packed, *bias;
    float *y, *scratch;
    int rectified;
    int64_t group, parts;
    // Of the group that all threads work on together.
    int64_t first, count;
};

// Weights up to this size stay in a core's own cache while one group of tiles after the other passes by.
enum { PRIVATE_WEIGHTS = 3 << 20, PRIVATE_BYTES = 5 << 17, SHARED_BYTES = 1 << 24 };

static int is_shared(const struct sfumato_winograd *w) {
    return POSITIONS * w->inputs * w->outputs * 4 > PRIVATE_WEIGHTS;
}

static int64_t group_size(const struct sfumato_winograd *w) {
    int64_t bytes = is_shared(w) ? SHARED_BYTES : PRIVATE_BYTES;
    int64_t tiles = bytes / (POSITIONS * 4 * (w->inputs + w->outputs));
    return min(max(tiles / (4 * ROWS), 1) * 4 * ROWS, tiles_of(w).count);
}

static int64_t part_count(const struct sfumato_winograd *w) {
    int64_t groups = (tiles_of(w).count + group_size(w) - 1) / group_size(w);
    return is_shared(w) ? 1 : min(sfumato_thread_count(), groups);
}

static int64_t group_scalars(const struct sfumato_winograd *w, int64_t group) {
    return POSITIONS * (position_stride(group, w->inputs) + position_stride(group, w->outputs));
}

int64_t sfumato_winograd_scratch_count(const struct sfumato_winograd *w) {
    return part_count(w) * group_scalars(w, group_size(w));
}

// The products of one position and one block of outputs for `count` tiles.
static void multiply_position(const struct forward *f, const float *v, float *m, int64_t count, int64_t position,
                              int64_t block) {
    int64_t inputs = f->w->inputs, outputs = f->w->outputs, width = min(BLOCK, outputs - block);
    struct product p = {v + position * position_stride(f->group, inputs), inputs, 1,
                        f->packed + position * inputs * outputs + block * inputs, width,
                        m + position * position_stride(f->group, outputs) + block, outputs, inputs, 0};
    multiply(p, count, width);
}

// Groups of tiles, each from its input to its result in one thread.
static void forward_part(void *raw, int64_t begin, int64_t end) {
    const struct forward *f = raw;
    int64_t groups = (f->tiles.count + f->group - 1) / f->group;
    for (int64_t part = begin; part < end; part++) {
        float *v = f->scratch + part * group_scalars(f->w, f->group);
        float *m = v + POSITIONS * position_stride(f->group, f->w->inputs);
        for (int64_t g = groups * part / f->parts; g < groups * (part + 1) / f->parts; g++) {
            int64_t first = g * f->group, count = min(f->group, f->tiles.count - first);
            transform_inputs(f->w, &f->tiles, f->x, first, count, v, position_stride(f->group, f->w->inputs));
            for (int64_t position = 0; position < POSITIONS; position++)
                for (int64_t block = 0; block < f->w->outputs; block += BLOCK)
                    multiply_position(f, v, m, count, position, block);
            transform_outputs(f->w, &f->tiles, m, position_stride(f->group, f->w->outputs), first, count,
                              f->bias, f->rectified, f->y);
        }
    }
}

static float *shared_products(const struct forward *f) {
    return f->scratch + POSITIONS * position_stride(f->group, f->w->inputs);
}

static void shared_inputs(void *raw, int64_t begin, int64_t end) {
    const struct forward *f = raw;
    transform_inputs(f->w, &f->tiles, f->x, f->first + begin, end - begin, f->scratch + begin * f->w->inputs,
                     position_stride(f->group, f->w->inputs));
}

static void shared_multiply(void *raw, int64_t begin, int64_t end) {
    const struct forward *f = raw;
    int64_t blocks = (f->w->outputs + BLOCK - 1) / BLOCK;
    for (int64_t unit = begin; unit < end; unit++)
        multiply_position(f, f->scratch, shared_products(f), f->count, unit / blocks, unit % blocks * BLOCK);
}

static void shared_outputs(void *raw, int64_t begin, int64_t end) {
    const struct forward *f = raw;
    transform_outputs(f->w, &f->tiles, shared_products(f) + begin * f->w->outputs,
                      position_stride(f->group, f->w->outputs), f->first + begin, end - begin, f->bias,
                      f->rectified, f->y);
}

void sfumato_winograd_forward(const struct sfumato_winograd *w, const float *x, const float *packed,
                              const float *bias, int rectified, float *y, float *scratch) {
    struct forward f = {w, tiles_of(w), x, packed, bias, y, scratch, rectified, group_size(w), part_count(w), 0, 0};
    if (f.tiles.count == 0) return;
    if (!is_shared(w)) {
        sfumato_parallel_for(f.parts, 1, &f, forward_part);
        return;
    }
    // Large weights pass through the caches once per group, so the group is large and the threads share it.
    int64_t blocks = (w->outputs + BLOCK - 1) / BLOCK;
    for (f.first = 0; f.first < f.tiles.count; f.first += f.group) {
        f.count = min(f.group, f.tiles.count - f.first);
        sfumato_parallel_for(f.count, 1, &f, shared_inputs);
        sfumato_parallel_for(POSITIONS * blocks, 1, &f, shared_multiply);
        sfumato_parallel_for(f.count, 1, &f, shared_outputs);
    }
}

// MARK: Gradient of the weights

// A part is a range of tiles with a sum of its own, or, where sums are large, a range of outputs for all tiles.
struct gradient {
    const struct sfumato_winograd *w;
    struct tiles tiles;
    const float *x, *dy;
    float *gradient, *scratch;
    int64_t group, parts;
    int splits_outputs;
};

enum { GRADIENT_BYTES = 1 << 20, LARGE_GRADIENT_BYTES = 1 << 24, PRIVATE_SUMS = 1 << 22 };

static int splits_outputs(const struct sfumato_winograd *w) {
    return POSITIONS * w->inputs * w->outputs * 4 > PRIVATE_SUMS && w->outputs >= 2 * LANES;
}

static int64_t gradient_group(const struct sfumato_winograd *w) {
    int64_t bytes = splits_outputs(w) ? LARGE_GRADIENT_BYTES : GRADIENT_BYTES;
    return min(max(bytes / (POSITIONS * 4 * (w->inputs + w->outputs)), 32), tiles_of(w).count);
}

static int64_t gradient_parts(const struct sfumato_winograd *w) {
    int64_t group = max(gradient_group(w), 1), groups = (tiles_of(w).count + group - 1) / group;
    return max(1, min(sfumato_thread_count(), splits_outputs(w) ? w->outputs / LANES : groups));
}

static int64_t sum_scalars(const struct sfumato_winograd *w) { return POSITIONS * w->inputs * w->outputs; }

int64_t sfumato_winograd_gradient_scratch_count(const struct sfumato_winograd *w) {
    int64_t parts = gradient_parts(w);
    return parts * group_scalars(w, gradient_group(w)) + (splits_outputs(w) ? 1 : parts) * sum_scalars(w);
}

static void gradient_part(void *raw, int64_t begin, int64_t end) {
    const struct gradient *g = raw;
    const struct sfumato_winograd *w = g->w;
    int64_t groups = (g->tiles.count + g->group - 1) / g->group, outputs = w->outputs;
    for (int64_t part = begin; part < end; part++) {
        int64_t from = 0, to = outputs, first = groups * part / g->parts, last = groups * (part + 1) / g->parts;
        float *sum = g->scratch;
        if (g->splits_outputs) {
            from = outputs / LANES * part / g->parts * LANES;
            to = outputs / LANES * (part + 1) / g->parts * LANES;
            first = 0;
            last = groups;
        } else {
            sum += part * sum_scalars(w);
        }
        float *v = g->scratch + (g->splits_outputs ? 1 : g->parts) * sum_scalars(w) +
                   part * group_scalars(w, g->group);
        int64_t stride = position_stride(g->group, w->inputs), z_stride = position_stride(g->group, to - from);
        float *z = v + POSITIONS * stride;
        for (int64_t i = first; i < last; i++) {
            int64_t tile = i * g->group, count = min(g->group, g->tiles.count - tile);
            transform_inputs(w, &g->tiles, g->x, tile, count, v, stride);
            transform_gradients(w, &g->tiles, g->dy, tile, count, from, to, z, z_stride);
            for (int64_t position = 0; position < POSITIONS; position++)
                for (int64_t block = 0; block < to - from; block += BLOCK) {
                    struct product p = {v + position * stride, 1, w->inputs, z + position * z_stride + block,
                                        to - from, sum + position * w->inputs * outputs + from + block, outputs,
                                        count, i > first};
                    multiply(p, w->inputs, min(BLOCK, to - from - block));
                }
        }
    }
}

// Gᵀ s G of the summed parts, for some inputs.
WIDE static void finish_gradient(void *raw, int64_t begin, int64_t end) {
    const struct gradient *g = raw;
    const struct sfumato_winograd *w = g->w;
    int64_t sums = g->splits_outputs ? 1 : g->parts;
    double transform[6][3];
    weight_transform(transform);
    for (int64_t i = begin; i < end; i++)
        for (int64_t o = 0; o < w->outputs; o += LANES) {
            float half[3][6][LANES];
            memset(half, 0, sizeof half);
            for (int a = 0; a < 6; a++)
                for (int b = 0; b < 6; b++) {
                    float total[LANES] = {0};
                    for (int64_t part = 0; part < sums; part++) {
                        const float *s = g->scratch + part * sum_scalars(w) +
                                         ((a * 6 + b) * w->inputs + i) * w->outputs + o;
                        for (int lane = 0; lane < LANES; lane++) total[lane] += s[lane];
                    }
                    for (int y = 0; y < 3; y++)
                        for (int lane = 0; lane < LANES; lane++)
                            half[y][b][lane] += (float)transform[a][y] * total[lane];
                }
            for (int y = 0; y < 3; y++)
                for (int x = 0; x < 3; x++) {
                    float value[LANES] = {0};
                    for (int b = 0; b < 6; b++)
                        for (int lane = 0; lane < LANES; lane++)
                            value[lane] += (float)transform[b][x] * half[y][b][lane];
                    for (int lane = 0; lane < LANES; lane++)
                        g->gradient[((o + lane) * w->inputs + i) * 9 + y * 3 + x] = value[lane];
                }
        }
}

void sfumato_winograd_weight_gradient(const struct sfumato_winograd *w, const float *x, const float *dy,
                                      float *gradient, float *scratch) {
    struct gradient g = {w, tiles_of(w), x, dy, gradient, scratch, gradient_group(w), gradient_parts(w),
                         splits_outputs(w)};
    if (g.tiles.count == 0) {
        memset(gradient, 0, (size_t)(w->inputs * w->outputs * 9) * sizeof(float));
        return;
    }
    sfumato_parallel_for(g.parts, 1, &g, gradient_part);
    sfumato_parallel_for(w->inputs, 1, &g, finish_gradient);
}

#else

int sfumato_winograd_is_available(void) { return 0; }
int64_t sfumato_winograd_packed_count(int64_t inputs, int64_t outputs) { return 0; }
void sfumato_winograd_pack(const float *weight, float *packed, int64_t inputs, int64_t outputs, int transposed) {}
int64_t sfumato_winograd_scratch_count(const struct sfumato_winograd *w) { return 0; }
void sfumato_winograd_forward(const struct sfumato_winograd *w, const float *x, const float *packed,
                              const float *bias, int rectified, float *y, float *scratch) {}
int64_t sfumato_winograd_gradient_scratch_count(const struct sfumato_winograd *w) { return 0; }
void sfumato_winograd_weight_gradient(const struct sfumato_winograd *w, const float *x, const float *dy,
                                      float *gradient, float *scratch) {}

#endif
