/* engine/state_desk.c: see state_desk.h. */
#include "engine/state_desk.h"

#include "base/number.h"
#include "engine/pipeline.h"
#include "engine/shards.h"
#include "engine/state_view.h"
#include "io/time_text.h"
#include "io/value.h"
#include "kernels/row/key.h"
#include "lib/hash.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EVENTS_SHOWN = 20 };

struct state_desk {
    ride_waker *waker;
    pthread_mutex_t lock;
    _Atomic bool waiting; /* the question is there and not taken: looked at without the lock */
    bool taken, closed;
    state_question question;
};

ride_status state_desk_create(ride_waker *waker, state_desk **out, ride_error *err) {
    state_desk *desk = calloc(1, sizeof *desk);
    if (desk == NULL || pthread_mutex_init(&desk->lock, NULL) != 0) {
        free(desk);
        return ride_fail(err, RIDE_E_MEMORY, "no memory for questions about the state");
    }
    desk->waker = waker;
    *out = desk;
    return RIDE_OK;
}

void state_desk_destroy(state_desk *desk) {
    if (desk == NULL) return;
    pthread_mutex_destroy(&desk->lock);
    free(desk);
}

bool state_desk_ask(state_desk *desk, const state_question *question) {
    pthread_mutex_lock(&desk->lock);
    const bool free_now = !desk->closed && !desk->taken && !atomic_load(&desk->waiting);
    if (free_now) {
        desk->question = *question;
        atomic_store(&desk->waiting, true);
    }
    pthread_mutex_unlock(&desk->lock);
    if (free_now) ride_waker_wake(desk->waker);
    return free_now;
}

static bool take(state_desk *desk) {
    pthread_mutex_lock(&desk->lock);
    const bool there = atomic_load(&desk->waiting);
    desk->taken = there;
    atomic_store(&desk->waiting, false);
    pthread_mutex_unlock(&desk->lock);
    return there;
}

static void give_back(state_desk *desk) {
    pthread_mutex_lock(&desk->lock);
    desk->taken = false;
    pthread_mutex_unlock(&desk->lock);
}

/* ---- the text of an answer ---- */

typedef struct answer {
    uint32_t code;
    char *text;
    size_t bytes;
} answer;

static void put_quoted(FILE *to, const char *text) {
    char quoted[6 * RIDE_NAME_BYTES * 4 + 2];
    size_t bytes = strlen(text);
    if (bytes > RIDE_NAME_BYTES * 4) bytes = RIDE_NAME_BYTES * 4;
    fwrite(quoted, 1, ride_json_quote(text, bytes, quoted), to);
}

static answer refuse(uint32_t code, const char *reason, const char *format, ...) RIDE_PRINTF(3, 4);
static answer refuse(uint32_t code, const char *reason, const char *format, ...) {
    answer a = {.code = code};
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    FILE *to = open_memstream(&a.text, &a.bytes);
    if (to == NULL) return a;
    fputs("{\"error\":", to);
    put_quoted(to, text);
    fprintf(to, ",\"reason\":\"%s\"}\n", reason);
    fclose(to);
    return a;
}

static void put_double(FILE *to, double value) {
    char text[RIDE_NUMBER_BYTES];
    if (isfinite(value)) fwrite(text, 1, ride_double_to_text(value, text), to);
    else fputs("null", to);
}

static void put_time(FILE *to, const char *name, int64_t us) {
    char text[RIDE_TIME_BYTES];
    if (us < RIDE_TIME_MIN_US || us > RIDE_TIME_MAX_US) fprintf(to, "\"%s\":null", name);
    else fprintf(to, "\"%s\":\"%.*s\"", name, (int)ride_time_to_iso8601(us, text), text);
}

/* Is it told of an event: its label, or what a stored column of it is? */
static bool is_told(const ride_plan_lane *lane) {
    if (lane->kind == RIDE_LANE_LABEL) return true;
    return lane->condition < 0 && lane->column >= 0 && (lane->kind == RIDE_LANE_SUM || lane->kind == RIDE_LANE_VALUE);
}

/* By a lane before it. */
static bool is_told_already(const ride_plan_lane *lanes, uint32_t lane) {
    const bool label = lanes[lane].kind == RIDE_LANE_LABEL;
    for (uint32_t i = 0; i < lane; i++)
        if (is_told(&lanes[i]) && (lanes[i].kind == RIDE_LANE_LABEL) == label &&
            (label || lanes[i].column == lanes[lane].column))
            return true;
    return false;
}

/* What an event adds, in the column's own unit, for each stored column once. */
static void put_event(FILE *to, const pipeline *p, const state_view *v, uint32_t index, int64_t as_of_us) {
    const ride_plan_entity *entity = &ride_bundle_array(&p->bundle, RIDE_SECTION_ENTITIES, ride_plan_entity)[v->entity];
    const ride_plan_lane *lanes =
        ride_bundle_array(&p->bundle, RIDE_SECTION_LANES, ride_plan_lane) + entity->lanes_first;
    const ride_plan_column *columns = ride_bundle_array(&p->bundle, RIDE_SECTION_COLUMNS, ride_plan_column);
    const char *strings = ride_bundle_array(&p->bundle, RIDE_SECTION_STRINGS, char);
    const ride_state_layout *layout = &v->layouts[v->entity];
    const int64_t *entry = state_view_entry(v, index), *added = entry + 1, *own = added + layout->cumulative_words;
    fputs("{", to);
    put_time(to, "time", entry[0]);
    for (uint32_t l = 0; l < layout->lanes_count; l++) {
        const ride_plan_lane *lane = &lanes[l];
        char text[RIDE_NUMBER_BYTES];
        if (!is_told(lane) || is_told_already(lanes, l)) continue;
        if (lane->kind == RIDE_LANE_LABEL) {
            fprintf(to, ",\"label\":%" PRId64, state_view_label(v, index, l, as_of_us));
            continue;
        }
        const bool is_value = lane->kind == RIDE_LANE_VALUE;
        if (is_value && !((uint64_t)own[layout->presence_word] >> l & 1)) continue;
        const int64_t value = is_value ? own[layout->lane_word[l]] : added[layout->lane_word[l]];
        fputs(",", to);
        put_quoted(to, strings + columns[lane->column].name_offset);
        const size_t bytes = lane->is_u64 ? ride_u64_to_text((uint64_t)value, text)
                                          : ride_decimal_to_text(value, (uint32_t)columns[lane->column].scale, text);
        fprintf(to, ":%.*s", (int)bytes, text);
    }
    fputs("}", to);
}

static void put_windows(FILE *to, const pipeline *p, const state_view *v, int64_t as_of_us) {
    const ride_plan_aggregate *aggregates = ride_bundle_array(&p->bundle, RIDE_SECTION_AGGREGATES, ride_plan_aggregate);
    const char *comma = "";
    fputs("\"windows\":[", to);
    for (uint32_t f = 0; f < p->spec->features_count; f++) {
        const ride_feature_spec *feature = &p->spec->features[f];
        for (uint32_t a = 0; a < p->bundle.plan->aggregates_count && !feature->is_expression; a++) {
            bool approx = false, needs_event = false;
            if (aggregates[a].feature != feature->feature || aggregates[a].entity != v->entity) continue;
            const double value = state_view_value(v, &aggregates[a], as_of_us, &approx, &needs_event);
            fprintf(to, "%s{\"feature\":", comma);
            put_quoted(to, feature->name);
            fputs(",\"value\":", to);
            put_double(to, value);
            fputs(",\"text\":", to);
            put_quoted(to, feature->text);
            if (aggregates[a].current) fputs(",\"current\":true", to);
            if (approx) fputs(",\"approx\":true", to);
            if (needs_event) fputs(",\"needs_event\":true", to);
            fputs("}", to);
            comma = ",";
        }
    }
    fputs("]", to);
}

static answer show(const pipeline *p, const state_view *v, int64_t as_of_us) {
    answer a = {.code = 200};
    FILE *to = open_memstream(&a.text, &a.bytes);
    if (to == NULL) return refuse(500, "memory", "no memory for the answer");
    fputs("{\"entity\":", to);
    put_quoted(to, p->spec->entities[v->entity].name);
    fputs(",", to);
    put_time(to, "clock", v->clock_us);
    fputs(",", to);
    put_time(to, "as_of", as_of_us);
    fprintf(to, ",\"as_of_us\":%" PRId64 ",", as_of_us);
    put_time(to, "last_event", v->last_us);
    fprintf(to, ",\"events\":%u,", v->entries_count);
    put_windows(to, p, v, as_of_us);
    fputs(",\"newest\":[", to);
    const uint32_t shown = v->entries_count < EVENTS_SHOWN ? v->entries_count : EVENTS_SHOWN;
    for (uint32_t i = 0; i < shown; i++) {
        if (i > 0) fputs(",", to);
        put_event(to, p, v, v->entries_count - 1 - i, as_of_us);
    }
    fputs("]}\n", to);
    fclose(to);
    return a;
}

/* ---- the question ---- */

static bool key_part(const pipeline *p, const ride_field *field, const char *text, ride_key128 *out) {
    const ride_zone_rule zone = {.local_to_utc = ride_zone_local_to_utc, .zone = &p->spec->zone_table};
    ride_step step = {.field = field, .type = field->type, .unit = field->unit};
    ride_value value = {.is_null = false};
    ride_step_bounds(&step);
    if (ride_value_read(&step, &zone, text, strlen(text), &value) != RIDE_REJECT_NONE || value.is_null) return false;
    *out = field->type == RIDE_FIELD_STRING ? ride_hash_bytes(value.s.text, value.s.bytes) : (ride_key128){value.u, 0};
    return true;
}

/* As features/keys.h says. NULL and *field: that part is wrong; missing: not given. */
static bool key_of(const pipeline *p, const ride_entity_spec *entity, const state_question *q, ride_key128 *out,
                   const char **field, bool *missing) {
    ride_key128 parts[RIDE_KEYS_MAX];
    for (uint32_t k = 0; k < entity->keys_count; k++) {
        const ride_field *f = &p->events->fields[entity->keys[k]];
        uint32_t i = 0;
        while (i < q->keys_count && strcmp(q->keys[i].field, f->name) != 0 &&
               !(entity->keys_count == 1 && q->keys[i].field[0] == '\0'))
            i++;
        *field = f->name;
        *missing = i == q->keys_count;
        if (*missing || !key_part(p, f, q->keys[i].value, &parts[k])) return false;
    }
    *out = entity->keys_count == 1 ? parts[0] : ride_hash_bytes(parts, entity->keys_count * sizeof parts[0]);
    return true;
}

static bool read_time(const char *text, int64_t *out) {
    bool has_offset;
    int64_t offset_us = 0;
    if (ride_text_to_i64(text, strlen(text), out)) return true;
    if (!ride_time_from_iso8601(text, strlen(text), out, &has_offset, &offset_us)) return false;
    *out -= offset_us;
    return true;
}

static answer look(const pipeline *p, uint32_t entity, ride_key128 key, const state_question *q) {
    static state_view view; /* large, and one question at a time */
    ride_error err = {.status = RIDE_OK};
    ride_status st = state_view_open(&view, &p->bundle, entity, key, &err);
    if (st == RIDE_OK) st = shards_save_vnodes(p, ride_key_vnode(key), 1, state_view_write, &view, &err);
    if (view.failed != RIDE_OK) st = view.failed;
    int64_t as_of_us = view.clock_us > view.last_us ? view.clock_us : view.last_us;
    answer a;
    if (st == RIDE_E_UNSUPPORTED) a = refuse(501, "backend", "the backend `%s` does not show its state", p->ops->name);
    else if (st != RIDE_OK) a = refuse(500, "state", "%s", view.why != NULL ? view.why : err.what);
    else if (!view.found) a = refuse(404, "unknown_key", "nothing is known of this key");
    else if (q->at[0] != '\0' && !read_time(q->at, &as_of_us))
        a = refuse(400, "bad_time", "`at` is an event time: ISO 8601, or microseconds since 1970");
    else a = show(p, &view, as_of_us);
    state_view_close(&view);
    return a;
}

static answer answer_of(const pipeline *p, const state_question *q) {
    const ride_spec *spec = p->spec;
    const char *field = NULL, *names[RIDE_ENTITIES_MAX];
    bool missing = false;
    ride_key128 key;
    uint32_t e = 0;
    for (uint32_t i = 0; i < spec->entities_count; i++) names[i] = spec->entities[i].name;
    while (e < spec->entities_count && strcmp(names[e], q->entity) != 0) e++;
    if (e == spec->entities_count) {
        const char *near = ride_nearest(q->entity, names, spec->entities_count);
        return refuse(404, "unknown_entity", "the spec has no entity `%.60s`%s%s%s", q->entity,
                      near != NULL ? "; did you mean `" : "", near != NULL ? near : "", near != NULL ? "`?" : "");
    }
    if (!key_of(p, &spec->entities[e], q, &key, &field, &missing)) {
        if (missing)
            return refuse(400, "missing_key", "the key of `%.60s` has the field `%.60s`: key.%.60s=…", q->entity, field,
                          field);
        return refuse(400, "bad_key", "this is no value of the field `%.60s`", field); /* the value is not repeated */
    }
    return look(p, e, key, q);
}

void state_desk_serve(state_desk *desk, struct pipeline *p, const char *why) {
    if (desk == NULL || !atomic_load_explicit(&desk->waiting, memory_order_relaxed) || !take(desk)) return;
    const state_question *q = &desk->question;
    const answer a = p != NULL ? answer_of(p, q) : refuse(503, "not_ready", "%s", why);
    void (*answered)(void *, uint32_t, char *, size_t) = q->answered;
    void *context = q->context;
    give_back(desk); /* before it is told: who has the answer may ask the next */
    answered(context, a.code, a.text, a.bytes);
}

void state_desk_close(state_desk *desk) {
    if (desk == NULL) return;
    pthread_mutex_lock(&desk->lock);
    desk->closed = true;
    pthread_mutex_unlock(&desk->lock);
    state_desk_serve(desk, NULL, "the service is stopping");
}
