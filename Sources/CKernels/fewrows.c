#include "fewrows.h"
#include "lanes.h"

// Rows and outputs whose sums are in registers at a time.
enum { ROWS = 4, OUTPUTS = 4 };

SFUMATO_INLINE void tile(const float *x, const float *w, const float *bias, float *y, int64_t inputs, int64_t outputs,
                         const int rows, const int columns) {
    lanes sum[ROWS][OUTPUTS] = {{{0}}};
    int64_t i = 0;
    for (; i + LANES <= inputs; i += LANES) {
        lanes weight[OUTPUTS];
        for (int o = 0; o < columns; o++) weight[o] = *(const lanes *)(w + o * inputs + i);
        for (int r = 0; r < rows; r++) {
            lanes value = *(const lanes *)(x + r * inputs + i);
            for (int o = 0; o < columns; o++) sum[r][o] += value * weight[o];
        }
    }
    for (int r = 0; r < rows; r++) {
        if (i == inputs && columns == OUTPUTS) {
            const quarter result = totals(sum[r]);
            *(quarter *)(y + r * outputs) = bias ? result + *(const quarter *)bias : result;
            continue;
        }
        for (int o = 0; o < columns; o++) {
            float rest = 0;
            for (int64_t k = i; k < inputs; k++) rest += x[r * inputs + k] * w[o * inputs + k];
            y[r * outputs + o] = (total(&sum[r][o]) + rest) + (bias ? bias[o] : 0);
        }
    }
}

SFUMATO_KERNEL
void sfumato_few_rows_product(const float *x, const float *w, const float *bias, float *y, int64_t rows,
                              int64_t inputs, int64_t outputs, int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; o += OUTPUTS) {
        const float *weights = w + o * inputs, *biases = bias ? bias + o : 0;
        const int columns = end - o < OUTPUTS ? (int)(end - o) : OUTPUTS;
        for (int64_t r = 0; r < rows; r += ROWS) {
            const float *in = x + r * inputs;
            float *out = y + r * outputs + o;
            const int count = rows - r < ROWS ? (int)(rows - r) : ROWS;
            if (columns == OUTPUTS && count == ROWS)
                tile(in, weights, biases, out, inputs, outputs, ROWS, OUTPUTS);
            else if (columns == OUTPUTS && count == 1)
                tile(in, weights, biases, out, inputs, outputs, 1, OUTPUTS);
            else
                tile(in, weights, biases, out, inputs, outputs, count, columns);
        }
    }
}
