/* cli/state.c: `ride state get`: asks a running service's admin listener and shows its answer as a table, or as it is. */
#include "cli/cli.h"
#include "lib/http_get.h"
#include "lib/json.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char cli_state_help[] =
    "usage: ride state get [--admin HOST:PORT] --entity NAME --key VALUE [--at TIME] [--json]\n"
    "Shows what a running service knows of one key: its windows and its newest events, as of the clock (or of the "
    "key's "
    "newest\n"
    "event, when that is later). Nothing is changed. The engine answers between two batches and walks over its keys "
    "once for it:\n"
    "one question at a time, for people, not for programs.\n"
    "  --admin HOST:PORT    the service's admin listener, its admin.listen (default 127.0.0.1:9100)\n"
    "  --entity NAME        of the spec: card\n"
    "  --key VALUE          as the events have it; --key FIELD=VALUE for each where the entity has several fields\n"
    "  --at TIME            as of that event time: 2025-03-01T12:00:00Z, or microseconds since 1970\n"
    "  --json               the answer as it is\n"
    "A window marked + counts the current event too, which is not there yet: the next event at that time adds itself.\n"
    "Exit: 0, 66 there is no such entity or nothing is known of the key, 65 the question is wrong, 69 no answer\n"
    "Example: ride state get --entity card --key c_00000017\n";

#define ANSWER_WITHIN_NS UINT64_C(10000000000)
enum { PATH_BYTES = 32768, TEXT_BYTES = 160 };

static const char *address = "127.0.0.1:9100", *entity, *at;
static cli_sets keys;
static bool json;
static const cli_option options[] = {
    {"--admin", CLI_TEXT, &address},
    {"--entity", CLI_TEXT, &entity, .required = true},
    {"--key", CLI_LIST, &keys, .required = true},
    {"--at", CLI_TEXT, &at},
    {"--json", CLI_SWITCH, &json},
};
const cli_word cli_state_words[] = {{"get", CLI_OPTIONS(options)}, {NULL}};

/* ---- the question ---- */

typedef struct path {
    char text[PATH_BYTES];
    size_t bytes;
} path;

static void add(path *p, const char *text, size_t bytes, bool escaped) {
    for (size_t i = 0; i < bytes && p->bytes + 4 < sizeof p->text; i++) {
        const unsigned char c = (unsigned char)text[i];
        if (!escaped || isalnum(c) || c == '-' || c == '_' || c == '.' || c == '~') p->text[p->bytes++] = (char)c;
        else p->bytes += (size_t)snprintf(p->text + p->bytes, 4, "%%%02X", c);
    }
    p->text[p->bytes] = '\0';
}

static void add_parameter(path *p, const char *name, size_t name_bytes, const char *value) {
    add(p, p->bytes > 0 && strchr(p->text, '?') != NULL ? "&" : "?", 1, false);
    add(p, name, name_bytes, true);
    add(p, "=", 1, false);
    add(p, value, strlen(value), true);
}

/* false: a key of several fields that does not say which. */
static bool make_path(path *p) {
    add(p, "/v1/state", 9, false);
    add_parameter(p, "entity", 6, entity);
    for (uint32_t i = 0; i < keys.count; i++) {
        const char *equals = strchr(keys.items[i], '=');
        char name[TEXT_BYTES];
        if (keys.count == 1) {
            add_parameter(p, "key", 3, keys.items[0]);
            break;
        }
        if (equals == NULL) return false;
        const int bytes = snprintf(name, sizeof name, "key.%.*s", (int)(equals - keys.items[i]), keys.items[i]);
        add_parameter(p, name, (size_t)bytes < sizeof name ? (size_t)bytes : sizeof name - 1, equals + 1);
    }
    if (at != NULL) add_parameter(p, "at", 2, at);
    return p->bytes + 4 < sizeof p->text;
}

/* ---- the answer ---- */

typedef struct window {
    char feature[TEXT_BYTES], value[TEXT_BYTES], text[TEXT_BYTES];
    bool approx, needs_event, current;
} window;

typedef struct showing {
    char error[2 * TEXT_BYTES];
    char entity[TEXT_BYTES], clock[TEXT_BYTES], as_of[TEXT_BYTES], last[TEXT_BYTES], events[TEXT_BYTES];
    enum { SECTION_NONE, SECTION_WINDOWS, SECTION_NEWEST } section;
    bool head_shown, in_item;
    window window;
} showing;

static bool is(const ride_json_member *m, const char *key) {
    return m->key != NULL && m->key_bytes == strlen(key) && memcmp(m->key, key, m->key_bytes) == 0;
}

static void take(char *to, size_t room, const ride_json_member *m) {
    if (m->type == RIDE_JSON_NULL) snprintf(to, room, "null");
    else snprintf(to, room, "%.*s", (int)m->bytes, m->text != NULL ? m->text : "");
    for (; *to != '\0'; to++)
        if ((unsigned char)*to < 32 || *to == 127) *to = '?';
}

static void show_head(showing *s) {
    if (s->head_shown) return;
    s->head_shown = true;
    printf("%s, as of %s: %s events kept, the newest of %s; the clock is %s\n\n", s->entity, s->as_of, s->events,
           s->last, s->clock);
}

static void end_item(showing *s) {
    const window *w = &s->window;
    if (s->in_item && s->section == SECTION_WINDOWS)
        printf("  %-32s %-20s %s%s%s%s\n", w->feature, w->needs_event ? "-" : w->value, w->text, w->current ? " +" : "",
               w->approx ? " (approx: from what is left)" : "", w->needs_event ? " (of a current event)" : "");
    if (s->in_item && s->section == SECTION_NEWEST) fputs("\n", stdout);
    s->in_item = false;
}

static void on_top(showing *s, const ride_json_member *m) {
    static const struct {
        const char *key;
        size_t at, bytes;
    } fields[] = {{"error", offsetof(showing, error), sizeof(((showing *)0)->error)},
                  {"entity", offsetof(showing, entity), TEXT_BYTES},
                  {"clock", offsetof(showing, clock), TEXT_BYTES},
                  {"as_of", offsetof(showing, as_of), TEXT_BYTES},
                  {"last_event", offsetof(showing, last), TEXT_BYTES},
                  {"events", offsetof(showing, events), TEXT_BYTES}};
    end_item(s);
    s->section = is(m, "windows") ? SECTION_WINDOWS : is(m, "newest") ? SECTION_NEWEST : SECTION_NONE;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (is(m, fields[i].key)) take((char *)s + fields[i].at, fields[i].bytes, m);
    if (s->section == SECTION_WINDOWS) show_head(s);
    if (s->section == SECTION_NEWEST) fputs("\n  newest events\n", stdout);
}

static void on_member(void *context, unsigned depth, const ride_json_member *m) {
    showing *s = context;
    char text[TEXT_BYTES];
    if (depth == 1) on_top(s, m);
    else if (depth == 2) {
        end_item(s);
        s->in_item = true;
        s->window = (window){.approx = false};
    } else if (s->section == SECTION_WINDOWS) {
        const bool yes = m->type == RIDE_JSON_BOOL && m->bytes == 4;
        if (is(m, "feature")) take(s->window.feature, TEXT_BYTES, m);
        else if (is(m, "value")) take(s->window.value, TEXT_BYTES, m);
        else if (is(m, "text")) take(s->window.text, TEXT_BYTES, m);
        else if (is(m, "approx")) s->window.approx = yes;
        else if (is(m, "current")) s->window.current = yes;
        else if (is(m, "needs_event")) s->window.needs_event = yes;
    } else if (s->section == SECTION_NEWEST) {
        take(text, sizeof text, m);
        if (is(m, "time")) printf("  %-28s", text);
        else printf("  %.*s %s", (int)m->key_bytes, m->key, text);
    }
}

static int failed_with(int code, const char *error) {
    fprintf(stderr, "ride state: %s\n", error);
    return ride_status_exit_code(code == 404                  ? RIDE_E_NO_INPUT
                                 : code == 400                ? RIDE_E_DATA
                                 : code == 429 || code == 503 ? RIDE_E_UNAVAILABLE
                                                              : RIDE_E_UNSUPPORTED);
}

static int show(const ride_http_answer *answer) {
    static showing s;
    ride_json_parser *parser = NULL;
    ride_error err;
    if (json && answer->code == 200) return cli_print(answer->body);
    char *text = malloc(answer->body_bytes + RIDE_JSON_PADDING);
    if (text == NULL || ride_json_parser_create(answer->body_bytes + RIDE_JSON_PADDING, &parser, &err) != RIDE_OK) {
        free(text);
        ride_fail(&err, RIDE_E_MEMORY, "no memory for the answer");
        return cli_failed("state", &err);
    }
    memcpy(text, answer->body, answer->body_bytes);
    memset(text + answer->body_bytes, 0, RIDE_JSON_PADDING);
    const ride_json_result result = ride_json_walk(parser, text, answer->body_bytes, on_member, &s);
    end_item(&s);
    ride_json_parser_destroy(parser);
    free(text);
    if (answer->code != 200) return failed_with(answer->code, s.error[0] != '\0' ? s.error : "no answer of RIDE");
    if (result != RIDE_JSON_OK || !s.head_shown) {
        ride_fail(&err, RIDE_E_DATA, "%s does not answer as RIDE does", address);
        return cli_failed("state", &err);
    }
    return cli_print("");
}

int cli_state(int argc, char **argv) {
    static path p;
    const cli_word *word = cli_find_word("state", cli_state_words, argc, argv);
    if (word == NULL) return ride_status_exit_code(RIDE_E_USAGE);
    int wrong = cli_word_read("state get", word, argc - 1, argv + 1);
    if (wrong != 0) return wrong;
    if (!make_path(&p)) return cli_usage("state get", "a key of several fields is --key FIELD=VALUE for each");
    ride_http_answer answer = {0};
    ride_error err = {.status = RIDE_OK};
    const ride_status st = ride_http_get(address, p.text, ANSWER_WITHIN_NS, &answer, &err);
    if (st != RIDE_OK) {
        if (st == RIDE_E_UNAVAILABLE) ride_error_advice(&err, "is `ride run` up, with this as its admin.listen?");
        return cli_failed("state", &err);
    }
    const int code = show(&answer);
    free(answer.body);
    return code;
}
