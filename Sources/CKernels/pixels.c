#include "pixels.h"
#include "numerics.h"

void sfumato_gather_pixels(const struct sfumato_pixel_map *map, const float *x, float *y, int64_t begin,
                           int64_t end) {
    int64_t bytes = map->channels * sizeof(float), line = map->out_width * map->channels;
    for (int64_t row = begin; row < end; row++) {
        int64_t n = row / map->out_height, source_row = map->rows[row % map->out_height];
        float *out = y + row * line;
        if (source_row < 0) {
            memset(out, 0, line * sizeof(float));
            continue;
        }
        const float *in = x + (n * map->height + source_row) * map->width * map->channels;
        for (int64_t j = 0; j < map->out_width; j++, out += map->channels) {
            // Neighbours that stay neighbours are copied in one piece.
            int64_t first = map->columns[j], count = 1;
            if (first < 0) {
                memset(out, 0, bytes);
                continue;
            }
            while (j + count < map->out_width && map->columns[j + count] == first + count) count++;
            memcpy(out, in + first * map->channels, count * bytes);
            j += count - 1;
            out += (count - 1) * map->channels;
        }
    }
}

void sfumato_scatter_pixels(const struct sfumato_pixel_map *map, const float *dy, float *dx) {
    for (int64_t i = 0; i < map->out_height; i++) {
        if (map->rows[i] < 0) continue;
        const float *in = dy + i * map->out_width * map->channels;
        float *out = dx + map->rows[i] * map->width * map->channels;
        for (int64_t j = 0; j < map->out_width; j++) {
            if (map->columns[j] < 0) continue;
            const float *p = in + j * map->channels;
            float *q = out + map->columns[j] * map->channels;
            for (int64_t c = 0; c < map->channels; c++) q[c] += p[c];
        }
    }
}

SFUMATO_KERNEL
void sfumato_box_sum(const float *x, float *y, int64_t begin, int64_t end, int64_t width, int64_t channels,
                     int64_t kh, int64_t kw, float scale, double *scratch) {
    int64_t line = width * channels, out_line = (width - kw + 1) * channels;
    double *columns = scratch, *box = scratch + line;
    for (int64_t k = 0; k < line; k++) columns[k] = 0;
    for (int64_t i = begin; i < begin + kh - 1; i++)
        for (int64_t k = 0; k < line; k++) columns[k] += x[i * line + k];
    for (int64_t i = begin; i < end; i++) {
        const float *enters = x + (i + kh - 1) * line, *leaves = x + i * line;
        float *out = y + i * out_line;
        for (int64_t k = 0; k < line; k++) columns[k] += enters[k];
        for (int64_t c = 0; c < channels; c++) box[c] = 0;
        for (int64_t k = 0; k < (kw - 1) * channels; k++) box[k % channels] += columns[k];
        for (int64_t j = 0; j < out_line; j += channels)
            for (int64_t c = 0; c < channels; c++) {
                box[c] += columns[j + (kw - 1) * channels + c];
                out[j + c] = scale * box[c];
                box[c] -= columns[j + c];
            }
        for (int64_t k = 0; k < line; k++) columns[k] -= leaves[k];
    }
}

SFUMATO_KERNEL
void sfumato_gate(const float *x, float *y, int64_t rows, int64_t channels) {
    for (int64_t r = 0; r < rows; r++) {
        const float *a = x + r * 2 * channels, *b = a + channels;
        float *out = y + r * channels;
        EACH_CHANNEL
        for (int64_t c = 0; c < channels; c++) out[c] = a[c] * b[c];
    }
}

SFUMATO_KERNEL
void sfumato_gate_backward(const float *x, const float *dy, float *dx, int64_t rows, int64_t channels) {
    for (int64_t r = 0; r < rows; r++) {
        const float *a = x + r * 2 * channels, *b = a + channels, *d = dy + r * channels;
        float *da = dx + r * 2 * channels, *db = da + channels;
        EACH_CHANNEL
        for (int64_t c = 0; c < channels; c++) {
            da[c] = d[c] * b[c];
            db[c] = d[c] * a[c];
        }
    }
}
