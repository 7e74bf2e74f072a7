#include "winograd_parts.h"

#if defined(__x86_64__)
#include <immintrin.h>

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

// The image that a tile of the batch belongs to, and where in it the tile begins.
static const float *start_of(const struct tiles *t, int64_t tile, int64_t *y, int64_t *x, const float *images,
                             int64_t image_size) {
    int64_t image = tile / (t->across * t->down), rest = tile % (t->across * t->down);
    *y = rest / t->across * 4;
    *x = rest % t->across * 4;
    return images + image * image_size;
}

// Bᵀ d B of `count` tiles from `first` on: v[position][tile][inputs].
WIDE void winograd_transform_inputs(const struct sfumato_winograd *w, const struct tiles *t, const float *x,
                                  int64_t first, int64_t count, float *v, int64_t stride) {
    for (int64_t tile = 0; tile < count; tile++) {
        const float *pixels[36];
        int64_t top, left;
        const float *image =
            start_of(t, first + tile, &top, &left, x, w->height * w->width * w->inputs);
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
WIDE void winograd_transform_outputs(const struct sfumato_winograd *w, const struct tiles *t, const float *m,
                                   int64_t stride, int64_t first, int64_t count, const float *bias,
                                   int rectified, float *y) {
    int64_t height = output_height(w), width = output_width(w);
    for (int64_t tile = 0; tile < count; tile++) {
        int64_t top, left;
        float *image = (float *)start_of(t, first + tile, &top, &left, y, height * width * w->outputs);
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
WIDE void winograd_transform_gradients(const struct sfumato_winograd *w, const struct tiles *t, const float *dy,
                                     int64_t first, int64_t count, int64_t from, int64_t to, float *z,
                                     int64_t stride) {
    int64_t height = output_height(w), width = output_width(w);
    for (int64_t tile = 0; tile < count; tile++) {
        const float *pixels[16];
        int64_t top, left;
        const float *image = start_of(t, first + tile, &top, &left, dy, height * width * w->outputs);
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

#endif
