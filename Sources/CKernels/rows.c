#include "rows.h"
#include "gelu.h"
#include "numerics.h"

// No result overlaps an operand, nor another result.
typedef const float *restrict input;
typedef float *restrict output;

SFUMATO_KERNEL
void sfumato_gated_residual_backward(input dy, input z, input gate, output dz, output d_gate, output d_bias,
                                     int64_t rows, int64_t channels) {
    for (int64_t r = 0; r < rows; r++) {
        input d = dy + r * channels, branch = z + r * channels;
        output out = dz + r * channels;
        EACH_CHANNEL
        for (int64_t c = 0; c < channels; c++) {
            float g = gate[c] * d[c];
            out[c] = g;
            d_gate[c] += d[c] * branch[c];
            d_bias[c] += g;
        }
    }
}

SFUMATO_KERNEL
void sfumato_gelu_again(input x, const float *du, output u, float *dx, output d_bias, int64_t rows,
                        int64_t channels) {
    for (int64_t r = 0; r < rows; r++)
        for (int64_t start = 0; start < channels; start += CHUNK) {
            const int64_t first = r * channels + start, count = chunk(channels - start);
            const float *d = du + first;
            float *out = dx + first;
            output bias = d_bias + start;
            float slope[CHUNK];
            sfumato_gelu_and_slope(x + first, u + first, slope, count);
            EACH_CHANNEL
            for (int64_t c = 0; c < count; c++) {
                float g = d[c] * slope[c];
                out[c] = g;
                bias[c] += g;
            }
        }
}

SFUMATO_KERNEL
void sfumato_gate_again(input x, input du, output u, output dx, output d_bias, int64_t rows, int64_t channels) {
    for (int64_t r = 0; r < rows; r++) {
        input a = x + r * 2 * channels, b = a + channels, d = du + r * channels;
        output out = u + r * channels, da = dx + r * 2 * channels, db = da + channels, second_bias = d_bias + channels;
        EACH_CHANNEL
        for (int64_t c = 0; c < channels; c++) {
            float first = d[c] * b[c], second = d[c] * a[c];
            out[c] = a[c] * b[c];
            da[c] = first;
            db[c] = second;
            d_bias[c] += first;
            second_bias[c] += second;
        }
    }
}

SFUMATO_KERNEL
void sfumato_scaled_again(input x, int is_gelu, input factor, input dv, output v, output d_factor, int64_t rows,
                          int64_t channels) {
    for (int64_t r = 0; r < rows; r++) {
        input d = dv + r * channels;
        output out = v + r * channels;
        if (is_gelu)
            sfumato_gelu(x + r * channels, out, channels);
        else
            memcpy(out, x + r * channels, (size_t)channels * sizeof *out);
        EACH_CHANNEL
        for (int64_t c = 0; c < channels; c++) {
            d_factor[c] += d[c] * out[c];
            out[c] *= factor[c];
        }
    }
}
