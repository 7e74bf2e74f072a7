#include "winograd.h"

#include "parallel.h"
#include "winograd_parts.h"

#if defined(__x86_64__)

int sfumato_winograd_is_available(void) { return __builtin_cpu_supports("avx512f"); }

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
    winograd_multiply(p, count, width);
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
            winograd_transform_inputs(f->w, &f->tiles, f->x, first, count, v, position_stride(f->group, f->w->inputs));
            for (int64_t position = 0; position < POSITIONS; position++)
                for (int64_t block = 0; block < f->w->outputs; block += BLOCK)
                    multiply_position(f, v, m, count, position, block);
            winograd_transform_outputs(f->w, &f->tiles, m, position_stride(f->group, f->w->outputs), first, count,
                              f->bias, f->rectified, f->y);
        }
    }
}

static float *shared_products(const struct forward *f) {
    return f->scratch + POSITIONS * position_stride(f->group, f->w->inputs);
}

static void shared_inputs(void *raw, int64_t begin, int64_t end) {
    const struct forward *f = raw;
    winograd_transform_inputs(f->w, &f->tiles, f->x, f->first + begin, end - begin, f->scratch + begin * f->w->inputs,
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
    winograd_transform_outputs(f->w, &f->tiles, shared_products(f) + begin * f->w->outputs,
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
