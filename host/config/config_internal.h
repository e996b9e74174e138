/* config/config_internal.h: the option table and what reads, shows and explains by it. Private to host/config.
 *
 * A key is a path of names. Three names stand for many: `<source>` for a source of the spec, `rules[]` for each rule, `<name>` for
 * an option of librdkafka or for what `reasons.texts` gives a text. */
#ifndef RIDE_CONFIG_CONFIG_INTERNAL_H
#define RIDE_CONFIG_CONFIG_INTERNAL_H
#include "base/arena.h"
#include "base/assert.h"
#include "config/config.h"
#include "lib/yaml.h"

#include <stdio.h>

enum { CONFIG_PATH_BYTES_MAX = 4096, CONFIG_NAME_BYTES_MAX = 64, CONFIG_KEY_BYTES = 192 };
#define CONFIG_INPUT "inputs.<source>"
#define CONFIG_RULE  "rules[]"
#define CONFIG_RAW   "kafka.raw"
#define CONFIG_TEXTS "reasons.texts"

typedef enum config_type {
    CONFIG_PATH = 1, /* const char *: a file or folder */
    CONFIG_STREAM,   /* const char *: a file, or `-` */
    CONFIG_NAME,     /* const char *: a short text */
    CONFIG_WORD,     /* int: words_first + the index in words */
    CONFIG_BOOL,     /* bool */
    CONFIG_COUNT,    /* uint32_t */
    CONFIG_SIZE,     /* uint64_t, bytes: `8GiB` */
    CONFIG_DURATION, /* int64_t, microseconds: `2ms` */
    CONFIG_SHARE,    /* uint32_t, parts per million: `90%` */
    CONFIG_DECIMAL,  /* uint32_t, millionths: `0.25` */
    CONFIG_COUNTS,   /* a list of counts: only of options that are not supported yet */
    CONFIG_TEXT,     /* any text: only of rules, which rules.c reads */
    CONFIG_LINE,     /* const char *: one line of text, numbers too */
    CONFIG_TOPIC,    /* const char *: the name of a topic of Kafka */
    CONFIG_ADDRESS,  /* const char *: HOST:PORT to listen at */
} config_type;

typedef struct config_option {
    const char *key;
    config_type type;
    const char *unit; /* of a count: what is counted; else NULL */
    uint64_t min, max;
    const char *default_text; /* as it would be written; NULL = not set */
    const char *const *words; /* ended by NULL */
    int words_first;
    const char *const *words_later; /* words that are not supported yet, or NULL; why in words_why */
    const char *words_why;
    size_t at; /* in ride_config, or in ride_config_input */
    bool required;
    bool hot_reloadable;     /* may change while a run goes on */
    const char *unavailable; /* why it cannot be set yet; NULL = it can */
    const char *text;
} config_option;

/* What stands around options: a mapping. */
typedef struct config_group {
    const char *key, *main; /* main: the member that a plain value in its place means, or NULL */
    const char *text;
} config_group;

extern const config_option config_options[];
extern const uint32_t config_options_count;
extern const config_group config_groups[];
extern const uint32_t config_groups_count;

const config_option *config_find_option(const char *key); /* NULL: none. key as in the table */
const config_group *config_find_group(const char *key);
/* "inputs.tx.path" → the table's option; source gets "tx" (or ""); of "kafka.raw.a.b" it gets "a.b", likewise of reasons.texts. The key of a group with a main
 * member is that member's. NULL: no option. */
const config_option *config_resolve(const char *key, char source[RIDE_NAME_BYTES]);
/* What was perhaps meant by an unknown key; "" when nothing is near. */
void config_suggest(const char *key, char out[CONFIG_KEY_BYTES]);
bool config_is_below(const char *key, const char *group); /* a direct member of the group ("" = top) */
const char *config_last_name(const char *key);            /* "outputs.late.path" → "path" */
void config_key_of(const config_option *option, const char *source, char out[CONFIG_KEY_BYTES]); /* its full key */

/* One option's value. is_set false: nothing was given and there is no default. */
typedef struct config_value {
    bool is_set;
    const char *text; /* of paths and names */
    uint64_t number;  /* of all others */
} config_value;
typedef struct config_fault {
    char message[320], advice[96]; /* the message goes on behind the option's key: "must be …" */
} config_fault;
/* Reads a value from its text; borrows the text. quoted: in quotes it is neither number nor bool. */
bool config_value_read(const config_option *option, const char *text, bool quoted, config_value *out,
                       config_fault *fault);
void config_value_put(const config_option *option, const config_value *value, FILE *to); /* as YAML */
void config_text_put(const char *text, FILE *to);                                        /* a text as YAML */
const char *config_type_text(const config_option *option, char *text,
                             size_t text_bytes_max); /* "a size, 1MiB … 1EiB" */
bool config_source_is_good(const char *name);        /* can it be a source's name? */
bool config_raw_is_good(const char *name);           /* can it be the name of an option of librdkafka? */
/* The group that the key lies in whose members have names of their own, CONFIG_RAW or CONFIG_TEXTS; NULL: none. */
const char *config_open_group(const char *key);
bool config_is_open(const char *group);
/* May a member of the open group have the name? */
bool config_open_is_good(const char *group, const char *name);
/* The option of ours that says the same as that of librdkafka, or why it is not to be changed; NULL: it may be given. */
const char *config_raw_owner(const char *name);
bool config_raw_is_secret(const char *name); /* its value is not shown */

/* What was given: options in the table's order, those of inputs and of the open groups behind them as they appear. */
typedef struct config_setting {
    const config_option *option;
    const char *source; /* NULL but for inputs.<source>.* and members of open groups */
    config_value value;
    ride_config_origin origin;
    bool is_wrong; /* what was given was told as wrong: it does not lack besides */
} config_setting;

typedef struct config_private {
    ride_arena *arena; /* of everything, the ride_config too */
    config_setting *settings;
    uint32_t settings_count, settings_max;
    const char *sources[RIDE_SOURCES_MAX]; /* of inputs */
    uint32_t sources_count;
    const char *raws[RIDE_CONFIG_RAW_MAX]; /* names of kafka.raw */
    uint32_t raws_count;
    const char *texts[RIDE_CONFIG_TEXTS_MAX]; /* patterns of reasons.texts */
    uint32_t texts_count;
} config_private;

/* A load in progress. */
typedef struct config_builder {
    ride_config *config;
    config_private *priv;
    ride_yaml_reader reader;
    const char *folder; /* of the file, with a slash behind it; "" = the working folder */
    bool no_memory;
} config_builder;

const config_setting *config_setting_of(const config_private *priv, const config_option *option, const char *source);
void config_read_rules(config_builder *b, const ride_yaml_node *node);
/* Defaults that follow from other values: the format of topics, the journal's place. */
void config_derive(config_builder *b);
/* What single values do not show: what lacks, what does not go together, and files used twice. */
void config_check(config_builder *b);
void config_check_service(config_builder *b); /* topics, kafka, http, journal, scheduler */
/* A finding at the place of a value; key as in the table. setting NULL or a default: at the file. */
void config_fault_at(config_builder *b, const config_setting *setting, const char *advice, const char *format, ...)
    RIDE_PRINTF(4, 5);
const config_setting *config_setting_by_key(const config_builder *b, const char *key); /* never NULL, not of inputs */

/* A memory stream's end: takes the text, or tells that memory is out. */
ride_status config_text_finish(FILE *stream, char **out_text, ride_error *err);
void config_json_put(const char *text, FILE *to); /* a JSON string */
#endif
