// Normal and uniform numbers from the Philox 4x32-10 counter-based generator
// (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3; SC 2011).
//
// Number i depends on (seed, stream, i) only: not on the thread count, the vector width or the split of a range.
#pragma once
#include <stdint.h>

/// Writes standard normal numbers first ..< first + count of a stream.
void sfumato_fill_normals(uint64_t seed, uint64_t stream, uint64_t first, int64_t count, float *out);

/// Writes uniform numbers in the open interval (0, 1), first ..< first + count of a stream.
void sfumato_fill_uniforms(uint64_t seed, uint64_t stream, uint64_t first, int64_t count, float *out);
