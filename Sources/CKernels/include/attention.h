// Kernels around attention: softmax rows, and channel vectors divided into equal groups (heads).
// Rows are `channels` apart; a group is channels/groups neighbouring channels.
#pragma once
#include <stdint.h>

/// y = softmax(x) over each row.
void sfumato_softmax(const float *x, float *y, int64_t rows, int64_t columns);
/// dx from y and dy.
void sfumato_softmax_backward(const float *y, const float *dy, float *dx, int64_t rows, int64_t columns);

/// One block of scores of a streaming softmax. Per row: `maximum` and `sum` are brought up to date, the scores become
/// e^(score − maximum), and `accumulated` [rows, width] is rescaled to the new maximum.
void sfumato_softmax_stream(float *scores, float *maximum, float *sum, float *accumulated, int64_t rows,
                            int64_t columns, int64_t width);
/// scores → e^(score − logsum) per row.
void sfumato_softmax_recompute(float *scores, const float *logsum, int64_t logsum_stride, int64_t rows,
                               int64_t columns);
/// dp → scale · p · (dp − delta) per row.
void sfumato_softmax_stream_backward(const float *p, float *dp, const float *delta, int64_t delta_stride,
                                     float scale, int64_t rows, int64_t columns);

/// out[r, g] = Σ over the group of a·b; `b` has rows of its own, or is one vector for all rows.
void sfumato_group_dot(const float *a, const float *b, int64_t b_stride, float *out, int64_t rows,
                       int64_t channels, int64_t groups);
/// y = s[r, g] · x.
void sfumato_group_scale(const float *x, const float *s, float *y, int64_t rows, int64_t channels,
                         int64_t groups);
/// y += s[r, g] · v[c].
void sfumato_group_add_vector(const float *s, const float *v, float *y, int64_t rows, int64_t channels,
                              int64_t groups);
/// sum[c] += Σ_r s[r, g]·x[r, c].
void sfumato_group_sum(const float *s, const float *x, float *sum, int64_t rows, int64_t channels,
                       int64_t groups);

/// Turns neighbouring pairs of channels: (x₀, x₁) → (x₀ cos − x₁ sin, x₀ sin + x₁ cos), `cosine` and `sine` [half] of
/// the row, repeated for every group of 2·half channels; `direction` −1 turns back.
void sfumato_rotate_pairs(const float *x, const float *cosine, const float *sine, float direction, float *y,
                          int64_t groups, int64_t half);
