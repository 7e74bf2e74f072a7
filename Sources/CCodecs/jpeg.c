#include "codecs.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>

// A progressive file with more scans than this is made to waste time, not to be looked at.
enum { SCAN_LIMIT = 500 };

typedef struct {
    struct jpeg_error_mgr base;  // first: libjpeg hands back a pointer to it
    jmp_buf jump;
    sf_status status;
    char *message;
} jpeg_errors;

static void on_error(j_common_ptr codec) {
    jpeg_errors *errors = (jpeg_errors *)codec->err;
    if (errors->status == SF_OK) {
        char text[JMSG_LENGTH_MAX];
        codec->err->format_message(codec, text);
        errors->status = codec->err->msg_code == JERR_OUT_OF_MEMORY ? SF_NO_MEMORY : SF_DAMAGED;
        strncpy(errors->message, text, SF_MESSAGE_LENGTH - 1);
    }
    longjmp(errors->jump, 1);
}

static void on_message(j_common_ptr codec, int level) {
    (void)codec;
    (void)level;
}

static void fail(j_common_ptr codec, sf_status status, const char *text) {
    jpeg_errors *errors = (jpeg_errors *)codec->err;
    errors->status = status;
    strncpy(errors->message, text, SF_MESSAGE_LENGTH - 1);
    longjmp(errors->jump, 1);
}

static void catch_errors(jpeg_errors *errors, char *message) {
    jpeg_std_error(&errors->base);
    errors->base.error_exit = on_error;
    errors->base.emit_message = on_message;
    errors->status = SF_OK;
    errors->message = message;
}

static boolean on_end_of_data(j_decompress_ptr codec) {
    fail((j_common_ptr)codec, SF_TRUNCATED, "the data ends too early");
    return FALSE;
}

static void on_progress(j_common_ptr codec) {
    if (((j_decompress_ptr)codec)->input_scan_number > SCAN_LIMIT) fail(codec, SF_DAMAGED, "it has too many scans");
}

static void decode_rows(j_decompress_ptr codec, uint64_t pixel_limit, sf_image *image) {
    jpeg_read_header(codec, TRUE);
    image->width = (int32_t)codec->image_width;
    image->height = (int32_t)codec->image_height;
    if ((uint64_t)codec->image_width * codec->image_height > pixel_limit) {
        fail((j_common_ptr)codec, SF_TOO_LARGE, "too many pixels");
    }
    switch (codec->num_components) {
    case 1: codec->out_color_space = JCS_GRAYSCALE; break;
    case 3: codec->out_color_space = JCS_RGB; break;
    case 4: codec->out_color_space = JCS_CMYK; break;
    default: fail((j_common_ptr)codec, SF_UNSUPPORTED, "it has neither 1, 3 nor 4 components");
    }
    codec->dct_method = JDCT_ISLOW;
    jpeg_start_decompress(codec);
    image->channels = codec->output_components;
    image->bit_depth = 8;
    image->is_cmyk = codec->out_color_space == JCS_CMYK;

    size_t stride = (size_t)codec->output_width * (size_t)codec->output_components;
    image->pixels = malloc(stride * codec->output_height);
    if (!image->pixels) fail((j_common_ptr)codec, SF_NO_MEMORY, "not enough memory");
    while (codec->output_scanline < codec->output_height) {
        JSAMPROW rows[8];
        for (JDIMENSION i = 0; i < 8; i++) rows[i] = image->pixels + (codec->output_scanline + i) * stride;
        JDIMENSION left = codec->output_height - codec->output_scanline;
        jpeg_read_scanlines(codec, rows, left < 8 ? left : 8);
    }
}

sf_status sf_jpeg_decode(const uint8_t *bytes, size_t count, uint64_t pixel_limit, sf_image *image) {
    memset(image, 0, sizeof *image);
    struct jpeg_decompress_struct codec = {0};
    struct jpeg_progress_mgr progress = {.progress_monitor = on_progress};
    jpeg_errors errors;
    catch_errors(&errors, image->message);
    codec.err = &errors.base;

    if (setjmp(errors.jump) == 0) {
        jpeg_create_decompress(&codec);
        codec.progress = &progress;
        jpeg_mem_src(&codec, bytes, count);
        codec.src->fill_input_buffer = on_end_of_data;
        decode_rows(&codec, pixel_limit, image);
    }
    jpeg_destroy_decompress(&codec);
    if (errors.status != SF_OK) {
        free(image->pixels);
        image->pixels = NULL;
    }
    return errors.status;
}

// Output grows in memory; libjpeg fills `file->bytes` up to the space we report.
typedef struct {
    struct jpeg_destination_mgr base;  // first: libjpeg hands back a pointer to it
    sf_file *file;
} jpeg_target;

static void grow(j_compress_ptr codec, size_t capacity) {
    jpeg_target *target = (jpeg_target *)codec->dest;
    size_t filled = target->file->count;
    uint8_t *grown = realloc(target->file->bytes, capacity);
    if (!grown) fail((j_common_ptr)codec, SF_NO_MEMORY, "not enough memory");
    target->file->bytes = grown;
    target->file->count = capacity;
    target->base.next_output_byte = grown + filled;
    target->base.free_in_buffer = capacity - filled;
}

static void on_start(j_compress_ptr codec) { grow(codec, 1 << 14); }

static boolean on_full(j_compress_ptr codec) {
    grow(codec, ((jpeg_target *)codec->dest)->file->count * 2);
    return TRUE;
}

static void on_finish(j_compress_ptr codec) {
    jpeg_target *target = (jpeg_target *)codec->dest;
    target->file->count -= target->base.free_in_buffer;
}

static void encode_rows(
    j_compress_ptr codec, const uint8_t *pixels, int32_t width, int32_t height, int32_t channels, int32_t quality,
    int32_t subsample) {
    codec->image_width = (JDIMENSION)width;
    codec->image_height = (JDIMENSION)height;
    codec->input_components = channels;
    codec->in_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(codec);
    jpeg_set_quality(codec, quality, TRUE);
    codec->optimize_coding = TRUE;
    codec->comp_info[0].h_samp_factor = channels == 3 && subsample ? 2 : 1;
    codec->comp_info[0].v_samp_factor = channels == 3 && subsample ? 2 : 1;
    jpeg_start_compress(codec, TRUE);
    size_t stride = (size_t)width * (size_t)channels;
    while (codec->next_scanline < codec->image_height) {
        JSAMPROW row = (JSAMPROW)(pixels + codec->next_scanline * stride);
        jpeg_write_scanlines(codec, &row, 1);
    }
    jpeg_finish_compress(codec);
}

sf_status sf_jpeg_encode(
    const uint8_t *pixels, int32_t width, int32_t height, int32_t channels, int32_t quality, int32_t subsample,
    sf_file *file) {
    memset(file, 0, sizeof *file);
    struct jpeg_compress_struct codec = {0};
    jpeg_target target = {
        .base = {.init_destination = on_start, .empty_output_buffer = on_full, .term_destination = on_finish},
        .file = file,
    };
    jpeg_errors errors;
    catch_errors(&errors, file->message);
    codec.err = &errors.base;

    if (setjmp(errors.jump) == 0) {
        jpeg_create_compress(&codec);
        codec.dest = &target.base;
        encode_rows(&codec, pixels, width, height, channels, quality, subsample);
    }
    jpeg_destroy_compress(&codec);
    if (errors.status != SF_OK) sf_file_free(file);
    return errors.status;
}
