/* cli/replay.c: `ride replay`: one decision, as somebody reads it who has to answer for it. */
#include "base/number.h"
#include "cli/config_read.h"
#include "cli/run_report.h"
#include "cli/verify_log.h"
#include "engine/replay_config.h"
#include "engine/service_config.h"
#include "io/time_text.h"
#include "lib/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char cli_replay_help[] =
    "usage: ride replay --config FILE (--event ID | --at TOPIC/PARTITION/OFFSET) [--journal PATH] [--vector] [--json]\n"
    "Computes one decision of a service again, from its log and its arrival journal, and tells whether it is the one "
    "that was\n"
    "published. Reads only what the event's windows may have held. Joins no group and stores nothing: the service may "
    "run.\n"
    "  --config FILE      of the service, with --set KEY=VALUE as for `ride run`\n"
    "  --event ID         the event's id: its result is looked for in the results topic\n"
    "  --at T/P/O         or the place of its message, for one that has no result\n"
    "  --journal PATH     its arrival journal, where it is not the configuration's\n"
    "  --vector           the features behind the decision too\n"
    "  --json             one JSON object; a sensitive field is shown, where the text shows its end only\n"
    "  --backend NAME     what computes (reference), --backend-path PATH its plugin\n"
    "Exit: 0 it is what was published, 65 it is not, the log no longer has it, or the journal is of another spec, 66 "
    "there is no such\n"
    "event\n"
    "Examples:\n"
    "  ride replay --config ride.yaml --event 918273 --vector\n"
    "  ride replay --config ride.yaml --at transactions/3/1042 --json | jq .record\n";

static bool read_place(const char *text, void *out) {
    ride_replay_place *place = out;
    const char *last = strrchr(text, '/');
    if (last == NULL || last == text) return false;
    const char *middle = last - 1;
    while (middle > text && *middle != '/') middle--;
    const size_t topic_bytes = (size_t)(middle - text);
    char number[16];
    uint64_t partition, offset;
    if (topic_bytes == 0 || topic_bytes >= sizeof place->topic || (size_t)(last - middle) > sizeof number) return false;
    snprintf(number, sizeof number, "%.*s", (int)(last - middle - 1), middle + 1);
    if (!cli_read_number(number, INT32_MAX, &partition) || !cli_read_number(last + 1, INT64_MAX - 1, &offset))
        return false;
    memcpy(place->topic, text, topic_bytes);
    place->topic[topic_bytes] = '\0';
    place->partition = (int32_t)partition;
    place->offset = (int64_t)offset;
    return true;
}

static const char *config_path, *event_id, *journal_path, *backend = "reference", *backend_path;
static ride_replay_place at;
static bool vector, json;
static cli_sets sets;
static const cli_option options[] = {
    {"--config", CLI_TEXT, &config_path, .required = true},
    {"--set", CLI_SETS, &sets},
    {"--event", CLI_TEXT, &event_id},
    {"--at", CLI_CONVERTED, &at, .convert = read_place},
    {"--journal", CLI_TEXT, &journal_path},
    {"--vector", CLI_SWITCH, &vector},
    {"--json", CLI_SWITCH, &json},
    {"--backend", CLI_TEXT, &backend},
    {"--backend-path", CLI_TEXT, &backend_path},
};
const cli_word cli_replay_words[] = {{"", CLI_OPTIONS(options)}, {0}};

/* ---- text ---- */

static bool is_sensitive(const ride_replay_answer *a, const record_member *m) {
    for (const char *name = a->sensitive; *name != '\0'; name += strlen(name) + 1)
        if (strlen(name) == m->name_bytes && memcmp(name, m->name, m->name_bytes) == 0) return true;
    return false;
}

/* A value without its quotes; of a sensitive one the last four characters, as receipts show card numbers. */
static void put_value(const ride_replay_answer *a, const record_member *m) {
    const bool quoted = m->value_bytes >= 2 && m->value[0] == '"';
    const char *text = m->value + quoted;
    uint32_t bytes = m->value_bytes - (quoted ? 2 : 0);
    if (is_sensitive(a, m)) {
        const uint32_t shown = bytes >= 8 ? 4 : 0;
        printf("***%.*s", (int)shown, text + bytes - shown);
    } else printf("%.*s", (int)bytes, text);
    int64_t us;
    char time[RIDE_TIME_BYTES];
    if (m->name_bytes == 10 && memcmp(m->name, "event_time", 10) == 0 && ride_text_to_i64(text, bytes, &us) &&
        us >= RIDE_TIME_MIN_US && us <= RIDE_TIME_MAX_US)
        printf("  %.*s", (int)ride_time_to_iso8601(us, time), time);
}

static void put_members(const ride_replay_answer *a) {
    const char *text = a->record, *end = a->record + strlen(a->record);
    record_member m;
    for (uint32_t i = 0; record_member_next(&text, end, &m); i++) {
        if (i == a->fields_count && !vector) return;
        if (i == 0 || i == a->fields_count) printf("\n%s\n", i == 0 ? "the decision" : "the vector");
        printf("  %-28.*s ", (int)m.name_bytes, m.name);
        put_value(a, &m);
        fputs("\n", stdout);
    }
}

static void put_published(const ride_replay_answer *a, const ride_config *config) {
    const ride_replay_result *r = &a->results[0];
    if (config->decisions.topic == NULL) puts("published      decisions go to no topic: not compared");
    else if (a->results_count == 0) printf("published      nothing: %s has no result of it\n", config->decisions.topic);
    else {
        printf("published      %s/%d/%" PRId64, config->decisions.topic, (int)r->partition, r->offset);
        if (r->copies > 1) printf(" and %u repeat%s", r->copies - 1, r->copies > 2 ? "s" : "");
        if (a->record == NULL) fputs(": but it gives no result", stdout);
        else if (a->is_equal) fputs(": equal, byte for byte", stdout);
        else
            printf(": NOT EQUAL: %s is `%s`, computed `%s`", a->diff.field,
                   strncmp(a->diff.field, "key", 3) == 0 ? "…" : a->diff.a,
                   strncmp(a->diff.field, "key", 3) == 0 ? "…" : a->diff.b);
        if (r->copies_differing > 0) printf("; %u repeats differ from the first", r->copies_differing);
        fputs("\n", stdout);
    }
}

static void put_text(const ride_replay_answer *a, const ride_config *config, const char *journal) {
    char hash[65];
    if (event_id != NULL) printf("event          %s\n", event_id);
    printf("message        %s/%d/%" PRId64 "\n", a->place.topic, (int)a->place.partition, a->place.offset);
    printf("spec           %s  %s\n", ride_hex(a->spec_hash, 32, hash), config->spec);
    if (a->has_model) printf("model          %s  %s\n", ride_hex(a->model_hash, 32, hash), config->model);
    else puts("model          none: rules alone decide");
    printf("computed       from %" PRIu64 " events of the log by `%s` in %.1f s, along %s\n", a->events, backend,
           a->seconds, journal);
    put_published(a, config);
    if (!a->is_exact)
        printf("NOT EXACT      the log begins at %" PRId64 ": events that its windows may have held are gone\n",
               a->log_begin);
    if (a->requests > 0)
        printf("NOT EXACT      %" PRIu64 " requests of the journal are in no log: windows lack them\n", a->requests);
    if (a->changed > 0)
        printf("CHANGED        %" PRIu64 " runs of the log are not what the journal says of them\n", a->changed);
    for (uint32_t i = 1; i < a->results_count; i++)
        printf("came again     %s/%d/%" PRId64 "\n", a->results[i].of.topic, (int)a->results[i].of.partition,
               a->results[i].of.offset);
    if (a->more_places) puts("came again     and more often than is told here");
    if (a->record != NULL) put_members(a);
    else if (a->reason[0] != '\0') printf("\nno decision: the message was rejected: %s\n", a->reason);
    else puts("\nno decision: the message is a label, or is not in the log any more");
}

/* ---- JSON ---- */

static void put_string(const char *text) {
    putchar('"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') printf("\\%c", *text);
        else if ((unsigned char)*text < 32) printf("\\u%04x", (unsigned char)*text);
        else putchar(*text);
    }
    putchar('"');
}

static void put_objects(const ride_replay_answer *a) {
    const char *text = a->record, *end = a->record + strlen(a->record);
    record_member m;
    fputs(",\"record\":{", stdout);
    for (uint32_t i = 0; record_member_next(&text, end, &m); i++) {
        if (i == a->fields_count && !vector) break;
        if (i == a->fields_count) fputs("},\"vector\":{", stdout);
        printf("%s\"%.*s\":%.*s", i == 0 || i == a->fields_count ? "" : ",", (int)m.name_bytes, m.name,
               (int)m.value_bytes, m.value);
    }
    fputs("}", stdout);
}

static void put_json(const ride_replay_answer *a) {
    char hash[65];
    fputs("{\"message\":{\"topic\":", stdout);
    put_string(a->place.topic);
    printf(",\"partition\":%d,\"offset\":%" PRId64 "},\"spec_hash\":\"%s\"", (int)a->place.partition, a->place.offset,
           ride_hex(a->spec_hash, 32, hash));
    if (a->has_model) printf(",\"model_hash\":\"%s\"", ride_hex(a->model_hash, 32, hash));
    printf(",\"events\":%" PRIu64 ",\"exact\":%s,\"requests\":%" PRIu64 ",\"changed\":%" PRIu64 ",\"published\":[",
           a->events, a->is_exact && a->requests == 0 ? "true" : "false", a->requests, a->changed);
    for (uint32_t i = 0; i < a->results_count; i++) {
        const ride_replay_result *r = &a->results[i];
        fputs(i > 0 ? ",{\"topic\":" : "{\"topic\":", stdout);
        put_string(r->of.topic);
        printf(",\"partition\":%d,\"offset\":%" PRId64 ",\"result_partition\":%d,\"result_offset\":%" PRId64
               ",\"copies\":%u,\"copies_differing\":%u}",
               (int)r->of.partition, r->of.offset, (int)r->partition, r->offset, r->copies, r->copies_differing);
    }
    printf("],\"equal\":%s", a->results_count > 0 && a->is_equal ? "true" : "false");
    if (a->results_count > 0 && a->record != NULL && !a->is_equal) {
        fputs(",\"difference\":{\"field\":", stdout);
        put_string(a->diff.field);
        fputs(",\"published\":", stdout);
        put_string(a->diff.a);
        fputs(",\"computed\":", stdout);
        put_string(a->diff.b);
        fputs("}", stdout);
    }
    if (a->record != NULL) put_objects(a);
    else {
        fputs(",\"reason\":", stdout);
        put_string(a->reason);
    }
    puts("}");
}

/* ---- the verb ---- */

static int code_of(const ride_replay_answer *a, const ride_config *config) {
    const bool compared = config->decisions.topic != NULL;
    const bool as_published =
        a->record == NULL ? a->results_count == 0
                          : !compared || (a->results_count > 0 && a->is_equal && a->results[0].copies_differing == 0);
    return as_published && a->changed == 0 ? 0 : ride_status_exit_code(RIDE_E_DATA);
}

static int run(const ride_config *config) {
    static ride_waker waker;
    static ride_diagnostics findings;
    static ride_replay_answer answer;
    static char path[RIDE_SERVICE_PATH_BYTES];
    ride_input_option inputs[RIDE_SOURCES_MAX];
    ride_run_options run_options;
    ride_error err = {.status = RIDE_OK};
    ride_replay_options replay = {.event_id = event_id, .at = at.topic[0] != '\0' ? &at : NULL, .progress = cli_step()};
    cli_config_run(config, inputs, &run_options);
    run_options.backend = backend;
    run_options.backend_path = backend_path;
    run_options.backend_memory = 0;
    run_options.shards = 0;
    if (ride_waker_open(&waker, &err) != RIDE_OK) return cli_failed("replay", &err);
    cli_signals_wake(&waker);
    ride_diagnostics_init(&findings);
    ride_status st = ride_replay_config(config, &run_options, journal_path, &waker, &replay, &answer, &findings, &err);
    cli_signals_wake(NULL);
    ride_waker_close(&waker);
    cli_step_end();
    int code = 0;
    if (findings.count > 0) code = cli_findings(&findings);
    else if (st == RIDE_INTERRUPTED) {
        fputs("ride replay: interrupted\n", stderr);
        code = 128 + SIGINT;
    } else if (st != RIDE_OK) code = cli_failed("replay", &err);
    else {
        if (json) put_json(&answer);
        else put_text(&answer, config, journal_path != NULL ? journal_path : ride_service_journal(config, path));
        code = code_of(&answer, config);
        const int written = cli_print("");
        if (written != 0) code = written;
    }
    ride_replay_answer_free(&answer);
    return code;
}

int cli_replay(int argc, char **argv) {
    ride_config *config = NULL;
    int code = cli_word_read("replay", &cli_replay_words[0], argc, argv);
    if (code != 0) return code;
    if ((event_id != NULL) == (at.topic[0] != '\0'))
        return cli_usage("replay", "one of --event ID and --at TOPIC/PARTITION/OFFSET");
    code = cli_config_read(config_path, &sets, &config);
    if (code != 0) return code;
    ride_log_setup(&(ride_log_options){.level_min = RIDE_LOG_ERROR, .format = config->log_format, .fd = STDERR_FILENO});
    code = run(config);
    ride_config_destroy(config);
    return code;
}
