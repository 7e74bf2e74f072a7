// Copies of whole pixels by tables of rows and columns, and sums over boxes of pixels. Channels last.
#pragma once
#include <stdint.h>

/// Extents of an image before and after, and the table that says where each output row and column comes from:
/// an input index, or −1 for zeros.
struct sfumato_pixel_map {
    int64_t height, width, channels;
    int64_t out_height, out_width;
    const int32_t *rows, *columns;
};

/// y[n,i,j] = x[n, rows[i], columns[j]] for the output rows begin..<end, a row being one (n, i).
void sfumato_gather_pixels(const struct sfumato_pixel_map *map, const float *x, float *y, int64_t begin,
                           int64_t end);

/// dx[n, rows[i], columns[j]] += dy[n,i,j] for one sample.
void sfumato_scatter_pixels(const struct sfumato_pixel_map *map, const float *dy, float *dx);

/// y[i,j] = scale · Σ x[i..<i+kh, j..<j+kw] of one sample [height, width, channels] for output rows
/// begin..<end of height − kh + 1, by running sums in double. `scratch` holds (width + 1)·channels values.
void sfumato_box_sum(const float *x, float *y, int64_t begin, int64_t end, int64_t width, int64_t channels,
                     int64_t kh, int64_t kw, float scale, double *scratch);

/// y[r,c] = x[r,c] · x[r,channels + c] for rows of 2·channels.
void sfumato_gate(const float *x, float *y, int64_t rows, int64_t channels);

/// dx = [dy·second half, dy·first half]
void sfumato_gate_backward(const float *x, const float *dy, float *dx, int64_t rows, int64_t channels);
