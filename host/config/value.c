/* config/value.c: one value: from its text, checked, and back into text. Units are written, never guessed. */
#include "base/utf8.h"
#include "config/config_internal.h"
#include "features/duration.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

static const struct {
    const char *name;
    int shift;
} size_units[] = {{"B", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}};
enum { SIZE_UNITS = sizeof size_units / sizeof size_units[0] };

static bool wrong(config_fault *fault, const char *advice, const char *format, ...) RIDE_PRINTF(3, 4);
static bool wrong(config_fault *fault, const char *advice, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(fault->message, sizeof fault->message, format, args);
    va_end(args);
    snprintf(fault->advice, sizeof fault->advice, "%s", advice != NULL ? advice : "");
    return false;
}

/* Digits, `_` between them. *end stands behind; saturates. */
static bool read_digits(const char *text, const char **end, uint64_t *out) {
    uint64_t value = 0;
    const char *p = text;
    if (!isdigit((unsigned char)*p)) return false;
    for (; isdigit((unsigned char)*p) || (*p == '_' && isdigit((unsigned char)p[1])); p++) {
        if (*p == '_') continue;
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
            value = UINT64_MAX;
    }
    *end = p;
    *out = value;
    return true;
}

static void put_size(uint64_t bytes, char *text, size_t text_bytes_max) {
    int unit = SIZE_UNITS - 1;
    while (unit > 0 && (bytes & ((UINT64_C(1) << size_units[unit].shift) - 1)) != 0) unit--;
    snprintf(text, text_bytes_max, "%" PRIu64 "%s", bytes >> size_units[unit].shift, size_units[unit].name);
}

/* Millionths of `unit` with no more digits than are needed. */
static void put_millionths(uint64_t millionths, uint64_t per_unit, const char *unit, char *text,
                           size_t text_bytes_max) {
    int places = per_unit == 10000 ? 4 : 6;
    int bytes =
        snprintf(text, text_bytes_max, "%" PRIu64 ".%0*" PRIu64, millionths / per_unit, places, millionths % per_unit);
    while (bytes > 0 && text[bytes - 1] == '0') bytes--;
    if (bytes > 0 && text[bytes - 1] == '.') bytes--;
    snprintf(text + bytes, text_bytes_max - (size_t)bytes, "%s", unit);
}

static void put_number(const config_option *option, uint64_t number, char *text, size_t text_bytes_max) {
    switch (option->type) {
    case CONFIG_SIZE: put_size(number, text, text_bytes_max); return;
    case CONFIG_DURATION: ride_duration_text((int64_t)number, text, text_bytes_max); return;
    case CONFIG_SHARE: put_millionths(number, 10000, "%", text, text_bytes_max); return;
    case CONFIG_DECIMAL: put_millionths(number, 1000000, "", text, text_bytes_max); return;
    default: snprintf(text, text_bytes_max, "%" PRIu64, number); return;
    }
}

static bool in_bounds(const config_option *option, const char *text, uint64_t number, config_value *out,
                      config_fault *fault) {
    char min[32], max[32];
    put_number(option, option->min, min, sizeof min);
    put_number(option, option->max, max, sizeof max);
    if (number < option->min || number > option->max)
        return wrong(fault, NULL, "must lie in %s … %s, not %.80s", min, max, text);
    *out = (config_value){.is_set = true, .number = number};
    return true;
}

static bool read_size(const config_option *option, const char *text, config_value *out, config_fault *fault) {
    static const char *const decimal[] = {"", "kB", "KB", "K", "k", "MB", "M", "GB", "G", "TB", "T"};
    static const char *const meant[] = {"B", "KiB", "KiB", "KiB", "KiB", "MiB", "MiB", "GiB", "GiB", "TiB", "TiB"};
    const char *unit = text;
    uint64_t value = 0;
    if (read_digits(text, &unit, &value)) {
        for (int i = 0; i < SIZE_UNITS; i++) {
            if (strcmp(unit, size_units[i].name) != 0) continue;
            uint64_t bytes = value > UINT64_MAX >> size_units[i].shift ? UINT64_MAX : value << size_units[i].shift;
            return in_bounds(option, text, bytes, out, fault);
        }
        for (size_t i = 0; i < sizeof decimal / sizeof decimal[0]; i++) {
            char advice[96];
            if (strcmp(unit, decimal[i]) != 0) continue;
            snprintf(advice, sizeof advice, "did you mean `%.*s%s`?", (int)(unit - text > 40 ? 40 : unit - text), text,
                     meant[i]);
            return wrong(fault, advice, "must be a size with its unit (B, KiB, MiB, GiB, TiB), not `%.80s`", text);
        }
    }
    return wrong(fault, NULL, "must be a size with its unit such as 64KiB or 8GiB, not `%.80s`", text);
}

static bool read_duration(const config_option *option, const char *text, config_value *out, config_fault *fault) {
    int64_t us;
    if (ride_duration_parse(text, &us)) return in_bounds(option, text, (uint64_t)us, out, fault);
    return wrong(fault, NULL, "must be a duration with its unit (us, ms, s, m, h, d) such as 2ms, not `%.80s`", text);
}

/* "12.5" in millionths, per_unit of them in 1; *end stands behind. Digits beyond a millionth are cut. */
static bool read_millionths(const char *text, uint64_t per_unit, uint64_t whole_max, const char **end, uint64_t *out) {
    uint64_t whole = 0;
    if (!read_digits(text, end, &whole) || whole > whole_max) return false;
    *out = whole * per_unit;
    if (**end != '.' || !isdigit((unsigned char)(*end)[1])) return true;
    for (uint64_t unit = per_unit / 10; isdigit((unsigned char)*++*end); unit /= 10)
        *out += (uint64_t)(**end - '0') * unit;
    return true;
}

static bool read_share(const config_option *option, const char *text, config_value *out, config_fault *fault) {
    const char *end = text;
    uint64_t ppm = 0;
    if (read_millionths(text, 10000, 100, &end, &ppm) && strcmp(end, "%") == 0)
        return in_bounds(option, text, ppm, out, fault);
    return wrong(fault, NULL, "must be a share of 100%% such as 90%%, not `%.80s`", text);
}

static bool read_decimal(const config_option *option, const char *text, config_value *out, config_fault *fault) {
    const char *end = text;
    uint64_t millionths = 0;
    if (read_millionths(text, 1000000, 1000000, &end, &millionths) && *end == '\0')
        return in_bounds(option, text, millionths, out, fault);
    return wrong(fault, NULL, "must be a number such as 0.25, not `%.80s`", text);
}

static bool read_count(const config_option *option, const char *text, config_value *out, config_fault *fault) {
    const char *end = text;
    uint64_t value = 0;
    bool negative = *text == '-';
    if (!read_digits(text + negative, &end, &value) || *end != '\0')
        return wrong(fault, NULL, "must be an integer, not `%.80s`", text);
    if (!negative || value == 0) return in_bounds(option, text, value, out, fault);
    return wrong(fault, NULL, "must lie in %" PRIu64 " … %" PRIu64 ", not %.80s", option->min, option->max, text);
}

static bool read_word(const config_option *option, const char *text, config_value *out, config_fault *fault) {
    char list[160] = "", advice[96];
    size_t count = 0, used = 0;
    for (size_t i = 0; option->words_later != NULL && option->words_later[i] != NULL; i++)
        if (strcmp(option->words_later[i], text) == 0)
            return wrong(fault, option->words_why, "cannot be `%s` yet", text);
    for (; option->words[count] != NULL; count++) {
        if (strcmp(option->words[count], text) == 0) {
            *out = (config_value){.is_set = true, .number = (uint64_t)option->words_first + count};
            return true;
        }
        if (used < sizeof list)
            used +=
                (size_t)snprintf(list + used, sizeof list - used, "%s%s", count > 0 ? " | " : "", option->words[count]);
    }
    const char *near = ride_nearest(text, option->words, count);
    snprintf(advice, sizeof advice, "did you mean `%s`?", near != NULL ? near : "");
    return wrong(fault, near != NULL ? advice : NULL, "must be %s, not `%.80s`", list, text);
}

static bool read_text(const char *text, size_t bytes_max, config_value *out, config_fault *fault) {
    size_t bytes = strlen(text);
    if (bytes == 0) return wrong(fault, NULL, "is empty");
    if (bytes >= bytes_max) return wrong(fault, NULL, "is longer than %zu bytes", bytes_max - 1);
    for (size_t i = 0; i < bytes; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) return wrong(fault, NULL, "holds a control character");
    for (size_t i = 0, n; i < bytes;
         i += n) /* a file's texts are UTF-8; those of --set and the environment may be anything */
        if ((n = ride_utf8_bytes(text + i)) == 0)
            return wrong(fault, "write it in UTF-8", "is not UTF-8 from byte %zu on", i + 1);
    *out = (config_value){.is_set = true, .text = text};
    return true;
}

/* As the brokers take it. */
static bool read_topic(const char *text, config_value *out, config_fault *fault) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    if (!read_text(text, 250, out, fault)) return false;
    if (text[strspn(text, letters)] == '\0' && strcmp(text, ".") != 0 && strcmp(text, "..") != 0) return true;
    return wrong(fault, NULL, "must be a topic's name (letters, digits, `.`, `_`, `-`), not `%.80s`", text);
}

/* HOST:PORT; an IPv6 address in brackets. That the host is one of this machine's is seen when it listens. */
static bool read_address(const char *text, config_value *out, config_fault *fault) {
    const char *colon = strrchr(text, ':'), *end = NULL;
    uint64_t port = 0;
    if (!read_text(text, 256, out, fault)) return false;
    bool host = colon != NULL && colon > text && strpbrk(text, " /@") == NULL &&
                (text[0] == '[' ? colon[-1] == ']' : strchr(text, ':') == colon);
    if (host && isdigit((unsigned char)colon[1]) && read_digits(colon + 1, &end, &port) && *end == '\0' &&
        port <= 65535)
        return true;
    return wrong(fault, NULL, "must be HOST:PORT such as 127.0.0.1:8080, not `%.80s`", text);
}

bool config_value_read(const config_option *option, const char *text, bool quoted, config_value *out,
                       config_fault *fault) {
    switch (option->type) {
    case CONFIG_PATH:
    case CONFIG_STREAM:
    case CONFIG_LINE:
        return read_text(text,
                         option->max > 0 && option->max < CONFIG_PATH_BYTES_MAX ? option->max + 1
                                                                                : CONFIG_PATH_BYTES_MAX,
                         out, fault);
    case CONFIG_TOPIC: return read_topic(text, out, fault);
    case CONFIG_ADDRESS: return read_address(text, out, fault);
    case CONFIG_NAME: return read_text(text, CONFIG_NAME_BYTES_MAX, out, fault);
    case CONFIG_WORD: return read_word(option, text, out, fault);
    case CONFIG_SIZE: return read_size(option, text, out, fault);
    case CONFIG_DURATION: return read_duration(option, text, out, fault);
    case CONFIG_SHARE: return read_share(option, text, out, fault);
    case CONFIG_DECIMAL:
        if (quoted) return wrong(fault, NULL, "must be a number, not a text in quotes");
        return read_decimal(option, text, out, fault);
    case CONFIG_COUNT:
        if (quoted) return wrong(fault, NULL, "must be an integer, not a text in quotes");
        return read_count(option, text, out, fault);
    case CONFIG_BOOL:
        if (quoted || (strcmp(text, "true") != 0 && strcmp(text, "false") != 0))
            return wrong(fault, NULL, "must be true or false, not `%.80s`", text);
        *out = (config_value){.is_set = true, .number = text[0] == 't'};
        return true;
    case CONFIG_COUNTS:
    case CONFIG_TEXT: break;
    }
    return wrong(fault, NULL, "cannot be given as a plain value");
}

/* Plain where every reader of YAML takes it as a text, else in double quotes. */
void config_text_put(const char *text, FILE *to) {
    static const char *const not_texts[] = {"null", "true", "false", "yes", "no", "on", "off"};
    bool plain = (text[0] >= 'a' && text[0] <= 'z') || text[0] == '/';
    for (const char *p = text; *p != '\0' && plain; p++)
        plain = isalnum((unsigned char)*p) || strchr("/._-", *p) != NULL;
    for (size_t i = 0; i < sizeof not_texts / sizeof not_texts[0] && plain; i++)
        plain = strcmp(text, not_texts[i]) != 0;
    if (plain) {
        fputs(text, to);
        return;
    }
    config_json_put(text, to); /* YAML's double quotes take JSON's escapes */
}

void config_value_put(const config_option *option, const config_value *value, FILE *to) {
    char text[64];
    if (!value->is_set) fputs("null", to);
    else if (value->text != NULL) config_text_put(value->text, to);
    else if (option->type == CONFIG_WORD) fputs(option->words[value->number - (uint64_t)option->words_first], to);
    else if (option->type == CONFIG_BOOL) fputs(value->number != 0 ? "true" : "false", to);
    else {
        put_number(option, value->number, text, sizeof text);
        fputs(text, to);
    }
}

const char *config_type_text(const config_option *option, char *text, size_t text_bytes_max) {
    static const char *const names[] = {[CONFIG_PATH] = "path",          [CONFIG_STREAM] = "path or `-`",
                                        [CONFIG_NAME] = "name",          [CONFIG_WORD] = "",
                                        [CONFIG_BOOL] = "true or false", [CONFIG_COUNT] = "count",
                                        [CONFIG_SIZE] = "size",          [CONFIG_DURATION] = "duration",
                                        [CONFIG_SHARE] = "share",        [CONFIG_COUNTS] = "list of counts",
                                        [CONFIG_DECIMAL] = "number",     [CONFIG_TEXT] = "expression",
                                        [CONFIG_LINE] = "text",          [CONFIG_TOPIC] = "topic",
                                        [CONFIG_ADDRESS] = "address"};
    char min[32], max[32];
    int used = snprintf(text, text_bytes_max, "%s", names[option->type]);
    for (size_t i = 0; option->type == CONFIG_WORD && option->words[i] != NULL; i++)
        used += snprintf(text + used, text_bytes_max - (size_t)used, "%s`%s`", i > 0 ? ", " : "", option->words[i]);
    if (option->max == 0) return text;
    put_number(option, option->min, min, sizeof min);
    put_number(option, option->max, max, sizeof max);
    snprintf(text + used, text_bytes_max - (size_t)used, "%s%s, %s … %s", option->unit != NULL ? " of " : "",
             option->unit != NULL ? option->unit : "", min, max);
    return text;
}
