/* features/spec_internal.h: what the files of the spec parser share; nobody else includes it.
 *
 * One load runs through: sources (spec_source.c, spec_field.c) → entities (spec_entity.c) → input columns
 * (spec_column.c) → feature entries (spec_feature.c) → lanes, edges, aggregates, expressions (spec_plan.c) → vector
 * (spec_vector.c) → hashes (spec_hash.c) → memory budget (explain.c). Each step reports what it finds and leaves
 * something that the next can work with, so that one load tells all findings. */
#ifndef RIDE_FEATURES_SPEC_INTERNAL_H
#define RIDE_FEATURES_SPEC_INTERNAL_H
#include "base/arena.h"
#include "base/assert.h"
#include "features/expr.h"
#include "features/spec.h"
#include "kernels/layout/state_layout.h"
#include "lib/yaml.h"

#include <stdio.h>

enum {
    SPEC_FEATURES_MAX = RIDE_TILE_COLUMNS_MAX - RIDE_OUT_COUNT,
    SPEC_FEATURE_NAME_BYTES = sizeof((ride_feature_spec){0}.name),
    /* Events of one key that a window's sum must hold when the entity gives no max_events. */
    SPEC_EVENTS_DEFAULT = 1 << 20,
};

typedef enum spec_kind { SPEC_SLIDING = 0, SPEC_TUMBLING, SPEC_HOPPING } spec_kind;
typedef enum spec_closed { SPEC_RIGHT = 0, SPEC_BOTH, SPEC_LEFT, SPEC_NEITHER } spec_closed;
typedef enum spec_ties { SPEC_ARRIVAL = 0, SPEC_PEERS, SPEC_EXCLUDE } spec_ties;
typedef enum spec_current { SPEC_CURRENT_DEFAULT = 0, SPEC_INCLUDE, SPEC_CURRENT_EXCLUDE } spec_current;

/* One feature: a pair of an entry's agg × windows, or an expression. Strings live in the arena. */
typedef struct spec_feature {
    const ride_yaml_node *node;  /* the entry; valid while parsing */
    const ride_yaml_node *expr;  /* its expression; valid while parsing */
    const char *text;            /* the expression or `where` text, or NULL */
    const char *window_text;     /* as written, or NULL without a window */
    bool is_expression, is_bool; /* is_bool: an expression that is a condition */
    ride_aggregate_op op;
    uint32_t entity;
    int32_t field; /* of the event source, or -1 */
    int64_t window_us, delay_us, hop_us;
    spec_kind kind;
    spec_closed closed;
    spec_ties ties;
    spec_current current;
    int32_t condition; /* or -1 */
    bool has_empty;
    double empty;
    uint32_t min_count;
    int32_t aggregate; /* index in the plan, after spec_plan */
} spec_feature;

typedef struct spec_column {
    ride_plan_column plan; /* name_offset is filled when a bundle is written */
    const char *name;
} spec_column;

/* What a spec keeps: behind ride_spec.private_data. */
typedef struct spec_private {
    ride_arena *arena;
    spec_column columns[RIDE_TILE_COLUMNS_MAX];
    uint32_t columns_count;
    ride_hash_column hashes[RIDE_FIELDS_MAX];
    uint32_t hashes_count;
    ride_label_kind label_kind;
    int32_t label_column;                         /* in the event or hidden; or -1 */
    ride_plan_entity entities[RIDE_ENTITIES_MAX]; /* lanes_first etc. are filled when a bundle is written */
    uint64_t entity_memory_max[RIDE_ENTITIES_MAX];
    ride_plan_lane lanes[RIDE_ENTITIES_MAX][RIDE_STATE_LANES_MAX];
    ride_plan_edge edges[RIDE_ENTITIES_MAX][RIDE_STATE_EDGES_MAX];
    ride_plan_aggregate aggregates[SPEC_FEATURES_MAX]; /* sorted by entity */
    uint32_t aggregates_count;
    ride_plan_expression expressions[SPEC_FEATURES_MAX];
    uint32_t expressions_count;
    ride_plan_condition conditions[SPEC_FEATURES_MAX];
    const char *conditions_text[SPEC_FEATURES_MAX];
    uint32_t conditions_count;
    spec_feature features[SPEC_FEATURES_MAX]; /* beside ride_spec.features */
    ride_plan_vector vector[RIDE_TILE_COLUMNS_MAX];
    ride_expr_sections sections;
} spec_private;

/* One load. */
typedef struct spec_builder {
    ride_spec *spec;
    spec_private *priv;
    ride_yaml_reader reader;
    const ride_yaml_node *root;
    const ride_yaml_node *source_nodes[RIDE_SOURCES_MAX];
    const ride_yaml_node *entity_nodes[RIDE_ENTITIES_MAX];
    const ride_yaml_node *entity_horizons[RIDE_ENTITIES_MAX]; /* NULL = none given */
    int64_t horizon_us[RIDE_ENTITIES_MAX];
    ride_order order; /* `order:` at the top, 0 = not given */
    bool no_memory, vector_full;
} spec_builder;

/* The steps. */
void spec_read_sources(spec_builder *b, const ride_yaml_node *sources);
void spec_read_fields(spec_builder *b, ride_source_spec *source, const ride_yaml_node *fields);
void spec_read_entities(spec_builder *b, const ride_yaml_node *entities);
void spec_assign_columns(spec_builder *b);
void spec_read_features(spec_builder *b, const ride_yaml_node *features);
void spec_plan_features(spec_builder *b);
void spec_bound_sums(spec_builder *b);
void spec_compile_expressions(spec_builder *b);
void spec_read_vector(spec_builder *b, const ride_yaml_node *vector, uint32_t line);
void spec_hash(spec_builder *b);
void spec_check_memory(spec_builder *b);

/* Shared small things. */
static inline ride_source_spec *spec_events(const spec_builder *b) { return &b->spec->sources[b->spec->source_events]; }
static inline spec_private *spec_private_of(const ride_spec *spec) { return spec->private_data; }
int32_t spec_find_field(const ride_source_spec *source, const char *name); /* -1 = none */
const char *spec_field_type_name(uint32_t type);
const char *spec_op_name(ride_aggregate_op op);
/* A copy of text in the spec's arena; NULL (and no_memory is set) when there is none. */
const char *spec_text(spec_builder *b, const char *text);
/* Copies a name of at most name_bytes_max - 1 printable bytes, or reports it. `star`: may hold `*`. */
bool spec_name(spec_builder *b, const ride_yaml_reader *reader, uint32_t line, uint32_t column, const char *what,
               const char *text, char *out, size_t name_bytes_max);
/* Known keys, and keys of the grammar that are not built yet: those are refused as such. */
void spec_check_keys(spec_builder *b, const ride_yaml_node *mapping, const char *what, const char *const *names,
                     const char *const *later); /* both end with NULL */
bool spec_read_duration(spec_builder *b, const ride_yaml_node *node, const char *what, int64_t *out_us);
bool spec_read_bytes(spec_builder *b, const ride_yaml_node *node, const char *what, uint64_t *out);
/* Reports an unknown name at a node with the nearest known one. */
void spec_unknown(spec_builder *b, const ride_yaml_node *node, const char *what, const char *const *names,
                  size_t names_count);
/* Names of a source's listed fields, into out[RIDE_FIELDS_MAX]; returns how many. */
size_t spec_field_names(const ride_source_spec *source, const char **out);

/* Scope of expressions over the event: fields, and features when asked for. `used` fits the symbols written. */
typedef struct spec_scope {
    ride_expr_scope scope;
    ride_expr_symbol *symbols; /* arena or caller's */
    uint32_t *symbol_fields;   /* field of a symbol, or UINT32_MAX */
    const ride_source_spec *events;
    spec_column *columns; /* where hash columns are appended */
    uint32_t *columns_count;
    ride_hash_column *hashes;
    uint32_t *hashes_count;
} spec_scope;
enum { SPEC_SYMBOLS_MAX = RIDE_FIELDS_MAX + SPEC_FEATURES_MAX + 2 };
/* Fields of the event source; then `features_count` features (those declared as expressions at or past `expressions_end` are
 * refused as later ones), then margin and probability with `score`. symbols and symbol_fields hold SPEC_SYMBOLS_MAX. */
void spec_scope_make(const ride_spec *spec, spec_scope *out, uint32_t features_count, uint32_t expressions_end,
                     bool score);
/* The KEY128 column of a string field, added on first need; -1 when the tile is full. */
int32_t spec_hash_column(const ride_source_spec *events, uint32_t field, spec_column *columns, uint32_t *columns_count,
                         ride_hash_column *hashes, uint32_t *hashes_count);
/* Writes the feature's definition as canonical text. */
void spec_write_feature(const ride_spec *spec, uint32_t feature, FILE *out);

#endif
