// Depthwise 3×3 convolution at stride 1 with one row and column of zeros around the image, channels last.
//
// A result is a sum over the nine taps in one fixed order: it does not depend on the batch, nor on the number of threads.
#pragma once
#include <stdint.h>

/// `input` and `output` are [batch, height, width, channels]; `channels` is a multiple of 16.
struct sfumato_depthwise {
    int64_t batch, height, width, channels;
};

/// Weights [channels, 3, 3] as [9, channels]. `flipped`: for the convolution that leads from the gradient of the output
/// back to that of the input.
void sfumato_depthwise_pack(const float *weight, float *packed, int64_t channels, int flipped);

/// Groups of rows of all images, in which the next two functions count.
int64_t sfumato_depthwise_group_count(const struct sfumato_depthwise *d);

/// How many image rows a group has, and the first of them, counted over all images.
int64_t sfumato_depthwise_group_rows(const struct sfumato_depthwise *d, int64_t group, int64_t *first);

/// The groups `begin`..<`end` of y = x ∗ weight + bias (null: none).
void sfumato_depthwise_forward(const struct sfumato_depthwise *d, const float *x, const float *packed,
                               const float *bias, float *y, int64_t begin, int64_t end);

/// The same with the first half of the channels times the second, y [batch, height, width, channels / 2]; `channels` is a
/// multiple of 32.
void sfumato_depthwise_forward_gated(const struct sfumato_depthwise *d, const float *x, const float *packed,
                                     const float *bias, float *y, int64_t begin, int64_t end);

/// The part of the weights' gradient that the images `begin`..<`end` make, [9, channels].
void sfumato_depthwise_weight_gradient(const struct sfumato_depthwise *d, const float *x, const float *dy,
                                       float *gradient, int64_t begin, int64_t end);
