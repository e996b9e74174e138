/* features/spec.h: a feature spec: YAML text → checked ride_spec + the sections of a bundle.
 *
 * The spec owns its strings; immutable after load. Findings are told all at once, each with file:line:column. */
#ifndef RIDE_FEATURES_SPEC_H
#define RIDE_FEATURES_SPEC_H
#include "base/error.h"
#include "features/schema.h"
#include "features/zone.h"
#include "kernels/layout/bundle.h"

typedef struct ride_feature_spec {
    char name[RIDE_NAME_BYTES * 4]; /* final name */
    bool is_expression;
    uint32_t feature;      /* column of the feature tile */
    uint32_t line, column; /* in the spec file */
    char text[256]; /* one line of definition, for explain: "mean(TX_AMOUNT) over 7d by customer" or the expression */
    uint8_t id[16]; /* hash of the definition */
} ride_feature_spec;

typedef struct ride_spec {
    char *path; /* as given, for messages */
    ride_source_spec *sources;
    uint32_t sources_count;
    uint32_t source_events; /* index of the one event source */
    int32_t source_labels;  /* index of the label source, or -1 */
    ride_entity_spec entities[RIDE_ENTITIES_MAX];
    uint32_t entities_count;
    ride_feature_spec *features;
    uint32_t features_count;
    const char **vector_names;
    uint32_t vector_count;
    char zone[RIDE_NAME_BYTES]; /* as written; "UTC" by default */
    ride_zone zone_table;
    int32_t
        column_label; /* hidden BOOL column of the input tile when labels come from a label source; label rows carry the
                             label there. -1 otherwise */
    uint32_t column_sequence;  /* hidden U64 column beside it: the arrival number of the labelled event. 0 otherwise */
    uint64_t memory_bytes_max; /* `memory:`; 0 = no budget */
    uint8_t hash[32];   /* SHA-256 of the canonical form: comments, order of keys and white space do not matter */
    bool has_peers;     /* some feature uses ties: peers with order: event_time */
    void *private_data; /* arena and compiled sections: spec.c's own */
} ride_spec;

/* Reads and checks the spec. On any finding returns its status and fills `findings`; *out is then NULL. */
ride_status ride_spec_load(const char *path, ride_spec **out, ride_diagnostics *findings);
/* The same from memory; `path` is only for messages. */
ride_status ride_spec_parse(const char *path, const char *text, size_t text_bytes, ride_spec **out,
                            ride_diagnostics *findings);
void ride_spec_destroy(ride_spec *spec); /* NULL is fine */

/* Decision rules of a run config: conditions over fields, features, `margin` and `probability`, in order. They compile
 * against a spec. `line`/`column` place the expression text within `file`. */
typedef struct ride_rule_spec {
    const char *id, *when;
    ride_decision decision;
    const char *file;
    uint32_t line, column;
} ride_rule_spec;

/* Adds the plan, programs, names and rules to a bundle builder (rules may be NULL/0). */
ride_status ride_spec_to_bundle(const ride_spec *spec, const ride_rule_spec *rules, uint32_t rules_count,
                                ride_bundle_builder *builder, ride_diagnostics *findings);

/* Hash columns of the bundle's input tile that the engine has to fill (rules may add some, hence the bundle). out holds
 * RIDE_FIELDS_MAX. Returns how many. */
uint32_t ride_spec_hash_columns(const ride_spec *spec, const ride_bundle *bundle, ride_hash_column *out);

#endif
