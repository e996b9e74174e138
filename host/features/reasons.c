/* features/reasons.c: see the header. */
#include "features/reasons.h"

#include <string.h>

/* Where the last star could begin to stand for one character more. */
bool ride_reason_fits(const char *pattern, const char *name) {
    const char *star = NULL, *from = NULL;
    while (*name != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            from = name;
        } else if (*pattern == *name) {
            pattern++;
            name++;
        } else if (star != NULL) {
            pattern = star + 1;
            name = ++from;
        } else return false;
    }
    while (*pattern == '*') pattern++;
    return *pattern == '\0';
}

const char *ride_reason_text_of(const ride_reasons_options *options, const char *name) {
    const char *fits = NULL;
    for (uint32_t i = 0; i < options->texts_count; i++) {
        const ride_reason_text *t = &options->texts[i];
        if (strcmp(t->pattern, name) == 0) return t->text;
        if (fits == NULL && ride_reason_fits(t->pattern, name)) fits = t->text;
    }
    return fits;
}
