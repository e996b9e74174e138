/* config/text.c: what all the texts of `ride config` are made with. */
#include "config/config_internal.h"

#include <stdlib.h>

ride_status config_text_finish(FILE *stream, char **out_text, ride_error *err) {
    if (stream != NULL && fclose(stream) == 0) return RIDE_OK;
    free(*out_text);
    *out_text = NULL;
    return ride_fail(err, RIDE_E_MEMORY, "no memory for the text");
}

void config_json_put(const char *text, FILE *to) {
    fputc('"', to);
    for (; *text != '\0'; text++)
        if (*text == '"' || *text == '\\') fprintf(to, "\\%c", *text);
        else if ((unsigned char)*text < 0x20 || *text == 0x7f) fprintf(to, "\\u%04x", (unsigned)*text);
        else fputc(*text, to);
    fputc('"', to);
}
