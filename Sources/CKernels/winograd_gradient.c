#include <string.h>

#include "parallel.h"
#include "winograd_parts.h"

#if defined(__x86_64__)

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
            winograd_transform_inputs(w, &g->tiles, g->x, tile, count, v, stride);
            winograd_transform_gradients(w, &g->tiles, g->dy, tile, count, from, to, z, z_stride);
            for (int64_t position = 0; position < POSITIONS; position++)
                for (int64_t block = 0; block < to - from; block += BLOCK) {
                    struct product p = {v + position * stride, 1, w->inputs, z + position * z_stride + block,
                                        to - from, sum + position * w->inputs * outputs + from + block, outputs,
                                        count, i > first};
                    winograd_multiply(p, w->inputs, min(BLOCK, to - from - block));
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
    winograd_weight_transform(transform);
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

#endif
