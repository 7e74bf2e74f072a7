#include "depthwise.h"
#include "numerics.h"

// Sixteen channels of a pixel; one register where the processor has such wide ones, several elsewhere.
enum { LANES = 16, ROWS = 4 };
typedef float lanes __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

#define AT(address) (*(lanes *)(address))

void sfumato_depthwise_pack(const float *weight, float *packed, int64_t channels, int flipped) {
    for (int64_t c = 0; c < channels; c++)
        for (int tap = 0; tap < 9; tap++) packed[tap * channels + c] = weight[c * 9 + (flipped ? 8 - tap : tap)];
}

static int64_t groups_per_image(const struct sfumato_depthwise *d) { return (d->height + ROWS - 1) / ROWS; }

int64_t sfumato_depthwise_group_count(const struct sfumato_depthwise *d) {
    return d->batch * groups_per_image(d);
}

int64_t sfumato_depthwise_group_rows(const struct sfumato_depthwise *d, int64_t group, int64_t *first) {
    int64_t image = group / groups_per_image(d), top = group % groups_per_image(d) * ROWS;
    *first = image * d->height + top;
    return d->height - top < ROWS ? d->height - top : ROWS;
}

// What becomes of a result.
enum ending { PLAIN, TIMES_STORED };

// Up to four rows of results for sixteen channels, from left to right. `rows` are the six rows of inputs from the one above
// on, null outside of the image; every column that comes in is added to the results on its left, at its place and on its right.
SFUMATO_INLINE void sweep(const float *const rows[ROWS + 2], int count, int64_t width, int64_t step,
                          const float *taps, int64_t tap_step, const float *bias, float *y, int64_t y_row, int64_t y_step,
                          enum ending ending) {
    lanes w[9], left[ROWS], here[ROWS], right[ROWS];
    const lanes zero = {0}, start = bias ? AT(bias) : zero;
    for (int t = 0; t < 9; t++) w[t] = AT(taps + t * tap_step);
    for (int r = 0; r < ROWS; r++) left[r] = here[r] = right[r] = start;
    for (int64_t x = 0; x <= width; x++) {
        if (x < width) {
            lanes in[ROWS + 2];
            for (int r = 0; r < ROWS + 2; r++) in[r] = rows[r] ? AT(rows[r] + x * step) : zero;
            for (int r = 0; r < ROWS; r++)
                for (int k = 0; k < 3; k++) {
                    left[r] += in[r + k] * w[3 * k + 2];
                    here[r] += in[r + k] * w[3 * k + 1];
                    right[r] += in[r + k] * w[3 * k];
                }
        }
        if (x > 0)
            for (int r = 0; r < ROWS; r++) {
                if (r >= count) break;
                float *target = y + r * y_row + (x - 1) * y_step;
                AT(target) = ending == TIMES_STORED ? AT(target) * left[r] : left[r];
            }
        for (int r = 0; r < ROWS; r++) {
            left[r] = here[r];
            here[r] = right[r];
            right[r] = start;
        }
    }
}

// The rows of inputs that a group of results needs.
static int locate(const struct sfumato_depthwise *d, const float *x, int64_t group, const float *rows[ROWS + 2],
                  int64_t *first_row) {
    int64_t image = group / groups_per_image(d), top = group % groups_per_image(d) * ROWS;
    for (int r = 0; r < ROWS + 2; r++) {
        int64_t row = top + r - 1;
        rows[r] = row >= 0 && row < d->height ? x + (image * d->height + row) * d->width * d->channels : 0;
    }
    return (int)sfumato_depthwise_group_rows(d, group, first_row);
}

SFUMATO_KERNEL
void sfumato_depthwise_forward(const struct sfumato_depthwise *d, const float *x, const float *packed,
                               const float *bias, float *y, int64_t begin, int64_t end) {
    for (int64_t group = begin; group < end; group++) {
        const float *rows[ROWS + 2], *shifted[ROWS + 2];
        int64_t first, channels = d->channels;
        int count = locate(d, x, group, rows, &first);
        for (int64_t c = 0; c < channels; c += LANES) {
            for (int r = 0; r < ROWS + 2; r++) shifted[r] = rows[r] ? rows[r] + c : 0;
            sweep(shifted, count, d->width, channels, packed + c, channels, bias ? bias + c : 0,
                  y + first * d->width * channels + c, d->width * channels, channels, PLAIN);
        }
    }
}

SFUMATO_KERNEL
void sfumato_depthwise_forward_gated(const struct sfumato_depthwise *d, const float *x, const float *packed,
                                     const float *bias, float *y, int64_t begin, int64_t end) {
    for (int64_t group = begin; group < end; group++) {
        const float *rows[ROWS + 2], *shifted[ROWS + 2];
        int64_t first, channels = d->channels, half = channels / 2;
        int count = locate(d, x, group, rows, &first);
        for (int64_t c = 0; c < half; c += LANES)
            for (int second = 0; second < 2; second++) {
                int64_t from = c + second * half;
                for (int r = 0; r < ROWS + 2; r++) shifted[r] = rows[r] ? rows[r] + from : 0;
                const float *start = bias ? bias + from : 0;
                float *target = y + first * d->width * half + c;
                if (second)
                    sweep(shifted, count, d->width, channels, packed + from, channels, start, target,
                          d->width * half, half, TIMES_STORED);
                else
                    sweep(shifted, count, d->width, channels, packed + from, channels, start, target,
                          d->width * half, half, PLAIN);
            }
    }
}

// Adds what one row of results gives to the nine taps of sixteen channels. `rows` are the three rows of inputs, null outside of
// the image; a window of three columns moves to the right.
SFUMATO_INLINE void gradient_sweep(const float *const rows[3], const float *dy, int64_t width, int64_t step,
                                   float *sums, int64_t sum_step) {
    const lanes zero = {0};
    lanes sum[9], left[3], here[3], right[3];
    for (int t = 0; t < 9; t++) sum[t] = AT(sums + t * sum_step);
    for (int r = 0; r < 3; r++) {
        left[r] = zero;
        here[r] = rows[r] ? AT(rows[r]) : zero;
    }
    for (int64_t x = 0; x < width; x++) {
        const lanes g = AT(dy + x * step);
        for (int r = 0; r < 3; r++) {
            right[r] = rows[r] && x + 1 < width ? AT(rows[r] + (x + 1) * step) : zero;
            sum[3 * r] += left[r] * g;
            sum[3 * r + 1] += here[r] * g;
            sum[3 * r + 2] += right[r] * g;
            left[r] = here[r];
            here[r] = right[r];
        }
    }
    for (int t = 0; t < 9; t++) AT(sums + t * sum_step) = sum[t];
}

SFUMATO_KERNEL
void sfumato_depthwise_weight_gradient(const struct sfumato_depthwise *d, const float *x, const float *dy,
                                       float *gradient, int64_t begin, int64_t end) {
    const int64_t channels = d->channels, row = d->width * channels;
    memset(gradient, 0, (size_t)(9 * channels) * sizeof *gradient);
    for (int64_t image = begin; image < end; image++)
        for (int64_t h = 0; h < d->height; h++) {
            const float *middle = x + (image * d->height + h) * row;
            for (int64_t c = 0; c < channels; c += LANES) {
                const float *rows[3] = {h > 0 ? middle - row + c : 0, middle + c,
                                        h + 1 < d->height ? middle + row + c : 0};
                gradient_sweep(rows, dy + (image * d->height + h) * row + c, d->width, channels, gradient + c,
                               channels);
            }
        }
}
