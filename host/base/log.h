/* base/log.h: what the program says while it runs, one line per event, as a fixed message and typed fields:
 *
 *     ride_log_warn("backend passed over", ride_log_text("name", "cuda"), ride_log_text("why", "no driver"));
 *
 * On a terminal for people (12:03:11.482 warn  backend passed over name=cuda why="no driver"), in colour unless NO_COLOR
 * is set; otherwise one JSON object per line with the names of the Elastic Common Schema, our own fields under `ride.`:
 *
 *     {"@timestamp":"2026-01-05T12:03:11.482013Z","log.level":"warn","message":"backend passed over","ecs.version":"8.11.0",
 *      "service.name":"ride","ride.name":"cuda","ride.why":"no driver"}
 *
 * A line is at most RIDE_LOG_LINE_BYTES long (a longer one loses fields and says so with cut=true) and leaves in one write, so lines of
 * several threads never mix. Control characters and invalid UTF-8 are escaped: a stranger's text cannot forge a line. What looks
 * like a card number in a text is shown as stars and its last four digits. No allocation, no lock.
 *
 * Repeats: with repeats_max, lines of one message (whatever their fields) beyond it within RIDE_LOG_WINDOW_NS are held back and counted;
 * the next that is written says held=N.
 *
 * Not for the event path: log per batch at most. Never log a field's value that the spec calls sensitive. */
#ifndef RIDE_BASE_LOG_H
#define RIDE_BASE_LOG_H
#include "base/clock.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { RIDE_LOG_LINE_BYTES = 2048 };
#define RIDE_LOG_WINDOW_NS UINT64_C(10000000000)

/* The numbers are those of ride_backend_services.log. */
typedef enum ride_log_level {
    RIDE_LOG_DEBUG = 0,
    RIDE_LOG_INFO = 1,
    RIDE_LOG_WARN = 2,
    RIDE_LOG_ERROR = 3,
    RIDE_LOG_OFF = 4,
} ride_log_level;

typedef enum ride_log_format {
    RIDE_LOG_AUTO = 0, /* human when fd is a terminal, else JSON */
    RIDE_LOG_HUMAN = 1,
    RIDE_LOG_JSON = 2,
} ride_log_format;

typedef struct ride_log_options {
    ride_log_level level_min;
    ride_log_format format;
    int fd;                  /* borrowed */
    const ride_clock *clock; /* for time stamp and windows; NULL = real; must outlive the logging */
    uint32_t repeats_max;    /* lines of one message in a window; 0 = no limit (a run, which ends) */
} ride_log_options;

/* At start, before other threads log. Until then: info and above, AUTO, standard error, real clock. */
void ride_log_setup(const ride_log_options *options);
void ride_log_set_level(ride_log_level level_min); /* any thread, any time */
/* "debug", "info", "warn", "error", "off"; false for another word. */
bool ride_log_level_parse(const char *word, ride_log_level *out);
bool ride_log_enabled(ride_log_level level);
/* Lines that could not be written (full disk, closed pipe), since the start. */
unsigned long ride_log_lost(void);
/* Lines that were held back, since the start. */
uint64_t ride_log_held(void);
/* One line that says how many lines were held back and not told yet, if any: when a service stops. */
void ride_log_tell_held(void);

typedef enum ride_log_kind {
    RIDE_LOG_NONE = 0, /* ends the list */
    RIDE_LOG_TEXT,
    RIDE_LOG_I64,
    RIDE_LOG_U64,
    RIDE_LOG_F64,
    RIDE_LOG_BOOL,
} ride_log_kind;

typedef struct ride_log_field {
    const char *key; /* a literal: [a-z0-9_.] */
    ride_log_kind kind;
    union {
        const char *text; /* borrowed for the call; NULL prints as null */
        int64_t i64;
        uint64_t u64;
        double f64;
        bool boolean;
    } value;
} ride_log_field;

static inline ride_log_field ride_log_text(const char *key, const char *text) {
    ride_log_field field = {key, RIDE_LOG_TEXT, {0}};
    field.value.text = text;
    return field;
}
static inline ride_log_field ride_log_i64(const char *key, int64_t value) {
    ride_log_field field = {key, RIDE_LOG_I64, {0}};
    field.value.i64 = value;
    return field;
}
static inline ride_log_field ride_log_u64(const char *key, uint64_t value) {
    ride_log_field field = {key, RIDE_LOG_U64, {0}};
    field.value.u64 = value;
    return field;
}
static inline ride_log_field ride_log_f64(const char *key, double value) {
    ride_log_field field = {key, RIDE_LOG_F64, {0}};
    field.value.f64 = value;
    return field;
}
static inline ride_log_field ride_log_bool(const char *key, bool value) {
    ride_log_field field = {key, RIDE_LOG_BOOL, {0}};
    field.value.boolean = value;
    return field;
}

/* fields: an array that ends with a field of kind RIDE_LOG_NONE; NULL = none. Any thread. */
void ride_log_write(ride_log_level level, const char *message, const ride_log_field *fields);

/* The fields are not even computed when the level is off. C only (an array in an expression). */
#ifdef __cppcheck__ /* it does not know __VA_OPT__, and leaves out a file that it cannot parse */
#define RIDE_LOG_AT(level, ...) ride_log_write(level, "", NULL)
#else
#define RIDE_LOG_AT(level, message, ...)                                                                               \
    (ride_log_enabled(level) ? ride_log_write(level, message, (const ride_log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}}) \
                             : (void)0)
#endif
#define ride_log_debug(...) RIDE_LOG_AT(RIDE_LOG_DEBUG, __VA_ARGS__)
#define ride_log_info(...)  RIDE_LOG_AT(RIDE_LOG_INFO, __VA_ARGS__)
#define ride_log_warn(...)  RIDE_LOG_AT(RIDE_LOG_WARN, __VA_ARGS__)
#define ride_log_error(...) RIDE_LOG_AT(RIDE_LOG_ERROR, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
