/* base/error.h: what went wrong, where, and what to do about it.
 *
 * ride_error: one failure of a set-up call (open, load, create). Plain data on the caller's stack, no
 *   ownership. The hot path does not fill errors: it returns a status and bumps a counter.
 * ride_diagnostics: many findings about one text (a config, a spec, a model), so that all are told at once.
 *   Bounded: past the capacity findings are counted, not kept. Not thread safe: one per load. */
#ifndef RIDE_BASE_ERROR_H
#define RIDE_BASE_ERROR_H
#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ride_error {
    ride_status status;
    char what[140];  /* "cannot open the model" */
    char where[56];  /* "fraud.json:12:7", or "" */
    char advice[56]; /* "check model.path", or "" */
} ride_error;

#if defined(__GNUC__)
#define RIDE_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define RIDE_PRINTF(fmt, args)
#endif

/* Fill *err (may be NULL) and return `status`, so that `return ride_fail(err, …)` reads as one step.
 * `what` is cut at its room, never overrun. `where` and `advice` are cleared. */
ride_status ride_fail(ride_error *err, ride_status status, const char *what_format, ...) RIDE_PRINTF(3, 4);
/* Add the place (kept from its end when too long: the file's name and line matter most) / the advice. err may be NULL. */
void ride_error_where(ride_error *err, const char *format, ...) RIDE_PRINTF(2, 3);
void ride_error_advice(ride_error *err, const char *format, ...) RIDE_PRINTF(2, 3);
/* "bad model: <what> at <where>; <advice>" into text; always terminated. Returns text. */
char *ride_error_text(const ride_error *err, char *text, size_t text_bytes_max);

/* One finding. line and column are 1-based; 0 means "no such place". The strings are owned by the list. */
typedef struct ride_diagnostic {
    ride_status status;
    uint32_t line, column;
    char *file, *message, *advice; /* advice may be NULL ("did you mean `amount`?") */
} ride_diagnostic;

enum { RIDE_DIAGNOSTICS_MAX = 100 };
typedef struct ride_diagnostics {
    ride_diagnostic items[RIDE_DIAGNOSTICS_MAX];
    uint32_t count;   /* kept */
    uint32_t dropped; /* past the capacity */
} ride_diagnostics;

void ride_diagnostics_init(ride_diagnostics *list);
void ride_diagnostics_free(ride_diagnostics *list); /* frees the strings; the list can be used again */
/* Add one. file may be NULL; advice may be NULL (a plain string, not a format). Returns `status`. */
ride_status ride_diagnose(ride_diagnostics *list, ride_status status, const char *file, uint32_t line, uint32_t column,
                          const char *advice, const char *message_format, ...) RIDE_PRINTF(7, 8);
/* First status of the list, RIDE_OK when it is empty. */
ride_status ride_diagnostics_status(const ride_diagnostics *list);
/* Copies the first finding into *err ("… and 3 more"). Returns its status. */
ride_status ride_diagnostics_error(const ride_diagnostics *list, ride_error *err);
/* Nearest of `names` to `word` by edit distance, or NULL when none is near enough: for "did you mean". */
const char *ride_nearest(const char *word, const char *const *names, size_t names_count);

#if defined(__clang_analyzer__) && !defined(RIDE_ERROR_NO_HINTS)
/* The analyzer reads one file at a time. This tells it what error.c does: the status that went in comes back. */
#define ride_fail(err, status, ...)      (ride_fail(err, status, __VA_ARGS__), (status))
#define ride_diagnose(list, status, ...) (ride_diagnose(list, status, __VA_ARGS__), (status))
#endif

#ifdef __cplusplus
}
#endif

#endif
