#include "codecs.h"

#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

// One decode or encode in progress. Everything that must be freed after a jump lives here, not in locals.
typedef struct {
    const uint8_t *bytes;
    size_t count, position;
    sf_file *file;
    size_t capacity;
    png_bytep *rows;
    char *message;
    sf_status status;
} png_job;

static void on_error(png_structp png, png_const_charp text) {
    png_job *job = png_get_error_ptr(png);
    if (job->status == SF_OK) {
        job->status = SF_DAMAGED;
        strncpy(job->message, text, SF_MESSAGE_LENGTH - 1);
    }
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text) {
    (void)png;
    (void)text;
}

static void fail(png_structp png, png_job *job, sf_status status, const char *text) {
    job->status = status;
    strncpy(job->message, text, SF_MESSAGE_LENGTH - 1);
    png_longjmp(png, 1);
}

static void read_bytes(png_structp png, png_bytep target, size_t count) {
    png_job *job = png_get_io_ptr(png);
    if (count > job->count - job->position) fail(png, job, SF_TRUNCATED, "the data ends too early");
    memcpy(target, job->bytes + job->position, count);
    job->position += count;
}

static void copy_texts(png_structp png, png_infop info, sf_image *image) {
    png_textp texts;
    int count = 0;
    png_get_text(png, info, &texts, &count);
    if (count <= 0) return;
    image->texts = calloc((size_t)count, sizeof(sf_text));
    if (!image->texts) return;
    for (int i = 0; i < count; i++) {
        char *key = strdup(texts[i].key ? texts[i].key : "");
        char *value = strdup(texts[i].text ? texts[i].text : "");
        if (!key || !value) {
            free(key);
            free(value);
            return;
        }
        int32_t is_utf8 = texts[i].compression >= PNG_ITXT_COMPRESSION_NONE;
        image->texts[image->text_count++] = (sf_text){key, value, is_utf8};
    }
}

// Header, transformations to 8 or 16 bits of grey or RGB with or without alpha, then the rows.
static void decode_rows(png_structp png, png_infop info, png_job *job, uint64_t pixel_limit, sf_image *image) {
    png_read_info(png, info);
    uint64_t width = png_get_image_width(png, info), height = png_get_image_height(png, info);
    image->width = (int32_t)width;
    image->height = (int32_t)height;
    if (width * height > pixel_limit) fail(png, job, SF_TOO_LARGE, "too many pixels");

    png_set_expand(png);  // palettes to RGB, 1/2/4 bits to 8, tRNS to alpha
    if (png_get_bit_depth(png, info) == 16) png_set_swap(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
    image->channels = png_get_channels(png, info);
    image->bit_depth = png_get_bit_depth(png, info);

    size_t stride = png_get_rowbytes(png, info);
    image->pixels = malloc(stride * height);
    job->rows = malloc(height * sizeof(png_bytep));
    if (!image->pixels || !job->rows) fail(png, job, SF_NO_MEMORY, "not enough memory");
    for (uint64_t y = 0; y < height; y++) job->rows[y] = image->pixels + y * stride;
    png_read_image(png, job->rows);
}

sf_status sf_png_decode(const uint8_t *bytes, size_t count, uint64_t pixel_limit, sf_image *image) {
    memset(image, 0, sizeof *image);
    png_job job = {.bytes = bytes, .count = count, .message = image->message};
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &job, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info) {
        png_destroy_read_struct(&png, NULL, NULL);
        return SF_NO_MEMORY;
    }
    png_set_read_fn(png, &job, read_bytes);
    png_set_user_limits(png, 0x7fffffff, 0x7fffffff);
    // Bounds what compressed text can unfold to.
    png_set_chunk_malloc_max(png, 8 << 20);
    png_set_chunk_cache_max(png, 128);

    if (setjmp(png_jmpbuf(png)) == 0) {
        decode_rows(png, info, &job, pixel_limit, image);
        // The pixels are complete: what follows (late text, the end mark) may be missing without harm.
        if (setjmp(png_jmpbuf(png)) == 0) png_read_end(png, info);
        job.status = SF_OK;
        copy_texts(png, info, image);
    }
    free(job.rows);
    png_destroy_read_struct(&png, &info, NULL);
    if (job.status != SF_OK) {
        int32_t width = image->width, height = image->height;
        sf_image_free(image);
        image->width = width;
        image->height = height;
    }
    return job.status;
}

static void write_bytes(png_structp png, png_bytep source, size_t count) {
    png_job *job = png_get_io_ptr(png);
    sf_file *file = job->file;
    if (file->count + count > job->capacity) {
        size_t capacity = (file->count + count) * 2;
        uint8_t *grown = realloc(file->bytes, capacity);
        if (!grown) fail(png, job, SF_NO_MEMORY, "not enough memory");
        file->bytes = grown;
        job->capacity = capacity;
    }
    memcpy(file->bytes + file->count, source, count);
    file->count += count;
}

static void flush_bytes(png_structp png) { (void)png; }

static void write_texts(png_structp png, png_infop info, const sf_text *texts, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        png_text text = {
            .compression = texts[i].is_utf8 ? PNG_ITXT_COMPRESSION_NONE : PNG_TEXT_COMPRESSION_NONE,
            .key = texts[i].key,
            .text = texts[i].value,
            .text_length = texts[i].is_utf8 ? 0 : strlen(texts[i].value),
            .itxt_length = texts[i].is_utf8 ? strlen(texts[i].value) : 0,
        };
        png_set_text(png, info, &text, 1);
    }
}

sf_status sf_png_encode(
    const uint8_t *pixels, int32_t width, int32_t height, int32_t channels, int32_t bit_depth, int32_t compression,
    const sf_text *texts, int32_t text_count, sf_file *file) {
    static const int colours[] = {
        PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGB_ALPHA};
    memset(file, 0, sizeof *file);
    png_job job = {.file = file, .message = file->message};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &job, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info) {
        png_destroy_write_struct(&png, NULL);
        return SF_NO_MEMORY;
    }
    png_set_write_fn(png, &job, write_bytes, flush_bytes);

    if (setjmp(png_jmpbuf(png)) == 0) {
        png_set_compression_level(png, compression);
        png_set_IHDR(
            png, info, (png_uint_32)width, (png_uint_32)height, bit_depth, colours[channels - 1],
            PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
        write_texts(png, info, texts, text_count);
        png_write_info(png, info);
        if (bit_depth == 16) png_set_swap(png);
        size_t stride = (size_t)width * (size_t)channels * (size_t)(bit_depth / 8);
        for (int32_t y = 0; y < height; y++) png_write_row(png, pixels + (size_t)y * stride);
        png_write_end(png, info);
    }
    png_destroy_write_struct(&png, &info);
    if (job.status != SF_OK) sf_file_free(file);
    return job.status;
}
