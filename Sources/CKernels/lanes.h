// Vectors of sixteen scalars and their sums. Sixteen lanes fix the order of the additions on every processor.
#pragma once
#include "numerics.h"

enum { LANES = 16 };
typedef float lanes __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef float quarter __attribute__((vector_size(16), aligned(4), may_alias));

// The sums of the lanes that are four apart.
SFUMATO_INLINE quarter folded(const lanes *sum) {
    typedef float half __attribute__((vector_size(32)));
    const lanes s = *sum;
    const half h = __builtin_shufflevector(s, s, 0, 1, 2, 3, 4, 5, 6, 7) +
                   __builtin_shufflevector(s, s, 8, 9, 10, 11, 12, 13, 14, 15);
    return __builtin_shufflevector(h, h, 0, 1, 2, 3) + __builtin_shufflevector(h, h, 4, 5, 6, 7);
}

SFUMATO_INLINE float total(const lanes *sum) {
    const quarter q = folded(sum);
    return (q[0] + q[2]) + (q[1] + q[3]);
}

// The totals of four sums, each added in the same order as one alone.
SFUMATO_INLINE quarter totals(const lanes *sums) {
    const quarter a = folded(sums), b = folded(sums + 1), c = folded(sums + 2), d = folded(sums + 3);
    const quarter ab = __builtin_shufflevector(a, b, 0, 4, 1, 5) + __builtin_shufflevector(a, b, 2, 6, 3, 7);
    const quarter cd = __builtin_shufflevector(c, d, 0, 4, 1, 5) + __builtin_shufflevector(c, d, 2, 6, 3, 7);
    return __builtin_shufflevector(ab, cd, 0, 1, 4, 5) + __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
}
