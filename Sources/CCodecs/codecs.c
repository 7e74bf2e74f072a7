#include "codecs.h"

#include <stdlib.h>

void sf_image_free(sf_image *image) {
    free(image->pixels);
    for (int32_t i = 0; i < image->text_count; i++) {
        free(image->texts[i].key);
        free(image->texts[i].value);
    }
    free(image->texts);
    image->pixels = NULL;
    image->texts = NULL;
    image->text_count = 0;
}

void sf_file_free(sf_file *file) {
    free(file->bytes);
    file->bytes = NULL;
    file->count = 0;
}
