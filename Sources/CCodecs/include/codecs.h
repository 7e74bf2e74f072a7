#pragma once

#include <stddef.h>
#include <stdint.h>

// libpng and libjpeg report errors by longjmp, which must not pass through Swift frames. Each function here is one
// complete decode or encode: it catches the jump, frees everything, and returns a status with a message. There is no
// state between calls, so any number of threads may call at once.

#define SF_MESSAGE_LENGTH 200

typedef enum {
    SF_OK = 0,
    SF_DAMAGED = 1,      // the library refused the data, `message` says why
    SF_TRUNCATED = 2,    // the data ended too early
    SF_TOO_LARGE = 3,    // more pixels than the caller allows
    SF_NO_MEMORY = 4,
    SF_UNSUPPORTED = 5,  // a valid file of a kind we do not read
} sf_status;

typedef struct {
    char *key;
    char *value;
    int32_t is_utf8;  // an iTXt chunk; otherwise tEXt or zTXt, whose text is Latin-1
} sf_text;

/// Decoded pixels: rows from the top, samples interleaved, 16-bit samples in host order.
typedef struct {
    uint8_t *pixels;
    int32_t width, height;
    int32_t channels;   // 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA
    int32_t bit_depth;  // 8 or 16
    int32_t is_cmyk;    // JPEG only: four channels are C, M, Y, K as stored by Adobe (255 is no ink)
    sf_text *texts;     // PNG text chunks
    int32_t text_count;
    char message[SF_MESSAGE_LENGTH];
} sf_image;

/// An encoded file.
typedef struct {
    uint8_t *bytes;
    size_t count;
    char message[SF_MESSAGE_LENGTH];
} sf_file;

sf_status sf_png_decode(const uint8_t *bytes, size_t count, uint64_t pixel_limit, sf_image *image);
sf_status sf_jpeg_decode(const uint8_t *bytes, size_t count, uint64_t pixel_limit, sf_image *image);
void sf_image_free(sf_image *image);

/// `compression` 0 to 9.
sf_status sf_png_encode(
    const uint8_t *pixels, int32_t width, int32_t height, int32_t channels, int32_t bit_depth, int32_t compression,
    const sf_text *texts, int32_t text_count, sf_file *file);

/// `channels` 1 or 3, `quality` 1 to 100; `subsample` halves the chroma in both directions (4:2:0).
sf_status sf_jpeg_encode(
    const uint8_t *pixels, int32_t width, int32_t height, int32_t channels, int32_t quality, int32_t subsample,
    sf_file *file);
void sf_file_free(sf_file *file);
