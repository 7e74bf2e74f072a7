#include "parallel.h"
#include "winograd_parts.h"

#if defined(__x86_64__)

void winograd_weight_transform(double g[6][3]) {
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
    winograd_weight_transform(g);
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

#endif
