/* base/error.c: filling and reading of errors and diagnostics. */
#define RIDE_ERROR_NO_HINTS /* here the functions themselves are */
#include "base/error.h"

#include "base/assert.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

ride_status ride_fail(ride_error *err, ride_status status, const char *what_format, ...) {
    if (err == NULL) return status;
    va_list args;
    va_start(args, what_format);
    err->status = status;
    vsnprintf(err->what, sizeof err->what, what_format, args);
    va_end(args);
    err->where[0] = err->advice[0] = '\0';
    return status;
}

void ride_error_where(ride_error *err, const char *format, ...) {
    if (err == NULL) return;
    char text[4096 + 64];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t length = strlen(text), room = sizeof err->where - 1;
    if (length <= room) memcpy(err->where, text, length + 1);
    else snprintf(err->where, sizeof err->where, "...%s", text + length - (room - 3));
}

void ride_error_advice(ride_error *err, const char *format, ...) {
    if (err == NULL) return;
    va_list args;
    va_start(args, format);
    vsnprintf(err->advice, sizeof err->advice, format, args);
    va_end(args);
}

char *ride_error_text(const ride_error *err, char *text, size_t text_bytes_max) {
    snprintf(text, text_bytes_max, "%s%s%s%s%s%s", err->where, err->where[0] != '\0' ? ": " : "", err->what,
             err->advice[0] != '\0' ? " (" : "", err->advice, err->advice[0] != '\0' ? ")" : "");
    return text;
}

void ride_diagnostics_init(ride_diagnostics *list) { memset(list, 0, sizeof *list); }

void ride_diagnostics_free(ride_diagnostics *list) {
    for (uint32_t i = 0; i < list->count; i++) {
        free(list->items[i].file);
        free(list->items[i].message);
        free(list->items[i].advice);
    }
    ride_diagnostics_init(list);
}

ride_status ride_diagnose(ride_diagnostics *list, ride_status status, const char *file, uint32_t line, uint32_t column,
                          const char *advice, const char *message_format, ...) {
    RIDE_ASSERT(status != RIDE_OK);
    if (list->count == RIDE_DIAGNOSTICS_MAX) {
        list->dropped++;
        return status;
    }
    ride_diagnostic *item = &list->items[list->count++];
    char message[1024];
    va_list args;
    va_start(args, message_format);
    vsnprintf(message, sizeof message, message_format, args);
    va_end(args);
    item->status = status;
    item->line = line;
    item->column = column;
    item->file = file != NULL ? strdup(file) : NULL;
    item->message = strdup(message);
    item->advice = advice != NULL ? strdup(advice) : NULL;
    return status;
}

ride_status ride_diagnostics_status(const ride_diagnostics *list) {
    return list->count > 0 ? list->items[0].status : RIDE_OK;
}

ride_status ride_diagnostics_error(const ride_diagnostics *list, ride_error *err) {
    if (list->count == 0) return RIDE_OK;
    const ride_diagnostic *first = &list->items[0];
    uint32_t more = list->count - 1 + list->dropped;
    if (more > 0) ride_fail(err, first->status, "%.100s (and %u more)", first->message, more);
    else ride_fail(err, first->status, "%s", first->message);
    if (first->file != NULL && first->line > 0)
        ride_error_where(err, "%s:%u:%u", first->file, first->line, first->column);
    else if (first->file != NULL) ride_error_where(err, "%s", first->file);
    if (first->advice != NULL) ride_error_advice(err, "%s", first->advice);
    return first->status;
}

/* Levenshtein distance with an early bound; names are short. */
static unsigned edit_distance(const char *a, const char *b) {
    size_t n = strlen(b);
    unsigned row[64];
    if (n >= 64 || strlen(a) >= 64) return 64;
    for (size_t j = 0; j <= n; j++) row[j] = (unsigned)j;
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= n; j++) {
            unsigned above = row[j], best = diagonal + (a[i - 1] != b[j - 1]);
            if (above + 1 < best) best = above + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            diagonal = above;
            row[j] = best;
        }
    }
    return row[n];
}

const char *ride_nearest(const char *word, const char *const *names, size_t names_count) {
    const char *best = NULL;
    if (strlen(word) >= 64) return NULL; /* edit_distance's room: so long a word is no slip of the hand */
    unsigned best_distance = (unsigned)strlen(word) / 3 + 2; /* must be nearer than this */
    for (size_t i = 0; i < names_count; i++) {
        unsigned distance = edit_distance(word, names[i]);
        if (distance < best_distance) best_distance = distance, best = names[i];
    }
    return best;
}
