// 8-bit integers for operands of products whose sums are exact.
#pragma once
#include <stdint.h>

/// Whether this processor adds four products of 8-bit integers to a 32-bit one without overflow (VNNI).
int sfumato_int8_is_available(void);

/// y = x·factor + zero in rows of channels, one factor for each channel, rounded to the nearest and kept in low…high:
/// 0…255 or −128…127. What is not a number becomes the lowest.
void sfumato_quantize(const float *x, uint8_t *y, const float *factors, float zero, float low, float high,
                      int64_t rows, int64_t channels);

/// Lowers low and raises high to the least and the greatest of each channel; what is not a number stays in both.
void sfumato_channel_range(const float *x, float *low, float *high, int64_t rows, int64_t channels);
