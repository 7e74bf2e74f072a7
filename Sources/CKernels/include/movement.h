// Copies that change the order of channels and pixels.
#pragma once
#include <stdint.h>

/// Space to depth on channels-last rows `begin..<end` of the output: input [N, H·r, W·r, C], output [N, H, W, C·r²],
/// out[n,y,x, c·r² + i·r + j] = in[n, y·r+i, x·r+j, c]. A row is one (n, y).
void sfumato_pixel_unshuffle(const float *in, float *out, int64_t begin, int64_t end, int64_t width,
                             int64_t channels, int64_t r);

/// The inverse: `width` and `channels` are those of the unshuffled side again.
void sfumato_pixel_shuffle(const float *in, float *out, int64_t begin, int64_t end, int64_t width,
                           int64_t channels, int64_t r);
