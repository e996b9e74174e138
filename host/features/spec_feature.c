/* features/spec_feature.c: `features:`: entries → single features (agg × windows), checked one by one. */
#include "base/assert.h"
#include "features/duration.h"
#include "features/spec_internal.h"
#include "lib/hash.h"

#include <string.h>

static const char *const aggs[] = {"count", "sum",  "mean", "var",        "std",         "var_pop",    "std_pop", "min",
                                   "max",   "risk", "last", "since_last", "since_first", "first_seen", "distinct"};
enum { AGGS = sizeof aggs / sizeof aggs[0] };
/* Of the catalogue, not built yet. */
static const char *const later_aggs[] = {"entropy", "top_share",   "top1_share", "last_k",    "lag",
                                         "ratio",   "z_score",     "velocity",   "decay_sum", "geo_km",
                                         "geo_kmh", "time_of_day", "quantile",   "median"};

#define OPS(op) (1u << (op))
enum {
    OPS_SUMS = OPS(RIDE_AGG_SUM) | OPS(RIDE_AGG_MEAN) | OPS(RIDE_AGG_VAR) | OPS(RIDE_AGG_STD) | OPS(RIDE_AGG_VAR_POP) |
               OPS(RIDE_AGG_STD_POP),
    OPS_VALUES = OPS(RIDE_AGG_MIN) | OPS(RIDE_AGG_MAX) | OPS(RIDE_AGG_LAST),
    OPS_IDENTITIES = OPS(RIDE_AGG_FIRST_SEEN) | OPS(RIDE_AGG_DISTINCT),
    OPS_NEED_COLUMN = OPS_SUMS | OPS_VALUES | OPS_IDENTITIES,
    /* the current event is never part of these, whatever `current` says */
    OPS_NEVER_CURRENT = OPS(RIDE_AGG_SINCE_LAST) | OPS(RIDE_AGG_SINCE_FIRST) | OPS(RIDE_AGG_FIRST_SEEN),
};

/* What one entry says before it is multiplied out. */
typedef struct entry {
    const ride_yaml_node *node;
    spec_feature base;
    ride_aggregate_op ops[AGGS];
    const ride_yaml_node *op_nodes[AGGS];
    uint32_t ops_count, ops_mask;
    const ride_yaml_node *const *windows;
    uint32_t windows_count; /* 0 = no window */
    const char *name;       /* `name:`, or NULL */
    bool ok;
} entry;

static const ride_yaml_node *const *list_of(const ride_yaml_node *const *node, uint32_t *count) {
    RIDE_ASSERT(node != NULL);
    *count = (*node)->kind == RIDE_YAML_SEQUENCE ? (*node)->count : 1;
    return (*node)->kind == RIDE_YAML_SEQUENCE ? (*node)->items : node;
}

static ride_status fault(spec_builder *b, entry *e, const ride_yaml_node *node, const char *advice, const char *message,
                         const char *name) {
    e->ok = false;
    return ride_yaml_fault(&b->reader, node, advice, message, name);
}

static void read_entity_name(spec_builder *b, entry *e) {
    const ride_yaml_node *node = ride_yaml_get(e->node, "entity");
    const char *known[RIDE_ENTITIES_MAX], *name;
    if (node == NULL) {
        fault(b, e, e->node, "entity: card", "a feature needs an `entity`%s", ", or an `expr`");
        return;
    }
    e->ok &= ride_yaml_read_string(&b->reader, node, "`entity`", &name) == RIDE_OK;
    if (!e->ok) return;
    for (uint32_t i = 0; i < b->spec->entities_count; i++) {
        known[i] = b->spec->entities[i].name;
        if (strcmp(known[i], name) != 0) continue;
        e->base.entity = i;
        return;
    }
    spec_unknown(b, node, "entity", known, b->spec->entities_count);
    e->ok = false;
}

static void read_aggs(spec_builder *b, entry *e) {
    const ride_yaml_node *node = ride_yaml_get(e->node, "agg");
    if (node == NULL) {
        fault(b, e, e->node, "agg: [count, mean]", "a feature of an entity needs an `agg`%s", "");
        return;
    }
    uint32_t count;
    const ride_yaml_node *const *items = list_of(&node, &count);
    if (count == 0) fault(b, e, node, NULL, "`agg` is an empty list%s", "");
    for (uint32_t i = 0; i < count; i++) {
        bool later = false;
        size_t word;
        for (size_t k = 0; k < sizeof later_aggs / sizeof later_aggs[0]; k++)
            later |= ride_yaml_is(items[i], later_aggs[k]);
        if (later) {
            fault(b, e, items[i], NULL, "agg `%s` is not supported yet", items[i]->text);
            continue;
        }
        if (ride_yaml_read_word(&b->reader, items[i], "`agg`", aggs, AGGS, &word) != RIDE_OK) {
            e->ok = false;
            continue;
        }
        ride_aggregate_op op = (ride_aggregate_op)(word + 1);
        if ((e->ops_mask & OPS(op)) != 0) {
            fault(b, e, items[i], NULL, "`agg` lists `%s` twice", aggs[word]);
            continue;
        }
        e->ops_mask |= OPS(op);
        e->op_nodes[e->ops_count] = items[i];
        e->ops[e->ops_count++] = op;
    }
}

/* May `op` read a column of that type? NULL, or why not. */
static const char *type_refusal(ride_aggregate_op op, uint32_t type) {
    bool number = (type >= RIDE_FIELD_U8 && type <= RIDE_FIELD_I64) || type == RIDE_FIELD_DECIMAL;
    bool real = type == RIDE_FIELD_F32 || type == RIDE_FIELD_F64;
    if ((OPS(op) & OPS_NEED_COLUMN) == 0 || number) return NULL;
    if (real) return "a float column cannot be aggregated exactly";
    if ((OPS(op) & OPS_IDENTITIES) != 0) return NULL;
    if (op == RIDE_AGG_LAST && type == RIDE_FIELD_CATEGORY) return NULL;
    return "only integer and decimal columns can be";
}

static void read_column(spec_builder *b, entry *e) {
    const ride_yaml_node *node = ride_yaml_get(e->node, "column");
    const ride_source_spec *events = spec_events(b);
    const char *known[RIDE_FIELDS_MAX], *name;
    e->base.field = -1;
    if (node == NULL) {
        for (uint32_t i = 0; i < e->ops_count; i++)
            if ((OPS(e->ops[i]) & OPS_NEED_COLUMN) != 0)
                fault(b, e, e->op_nodes[i], NULL, "`%s` needs a `column`", spec_op_name(e->ops[i]));
        return;
    }
    if (ride_yaml_read_string(&b->reader, node, "`column`", &name) != RIDE_OK) {
        e->ok = false;
        return;
    }
    int32_t index = spec_find_field(events, name);
    if (index >= 0 && index == events->field_label) {
        fault(b, e, node, "agg: [risk], delay: 7d, labels: fixed",
              "`%s` is the label: a feature of it would leak the answer", name);
        return;
    }
    if (index < 0 || events->fields[index].hidden) {
        spec_unknown(b, node, "field", known, spec_field_names(events, known));
        e->ok = false;
        return;
    }
    e->base.field = index;
    const ride_field *field = &events->fields[index];
    for (uint32_t i = 0; i < e->ops_count; i++) {
        const char *refusal = type_refusal(e->ops[i], field->type);
        if (e->ops[i] == RIDE_AGG_RISK)
            fault(b, e, e->op_nodes[i], "leave `column` out", "`risk` takes no `column`%s", "");
        if (refusal == NULL) continue;
        bool real = field->type == RIDE_FIELD_F32 || field->type == RIDE_FIELD_F64;
        char advice[128], message[192];
        snprintf(advice, sizeof advice, "declare `%.60s` as {type: decimal, scale: 2}", name);
        snprintf(message, sizeof message, "`%s` of `%%s`, which is a %s: %s", spec_op_name(e->ops[i]),
                 spec_field_type_name(field->type), refusal);
        e->ok = false;
        ride_yaml_fault(&b->reader, e->op_nodes[i], real ? advice : NULL, "`%s` of `%s`, which is a %s: %s",
                        spec_op_name(e->ops[i]), name, spec_field_type_name(field->type), refusal);
    }
}

static void read_windows(spec_builder *b, entry *e) {
    static const char *const kinds[] = {"sliding", "tumbling", "hopping"};
    const ride_yaml_node *const *node = NULL;
    const ride_yaml_node *windows = ride_yaml_get(e->node, "windows"), *kind = ride_yaml_get(e->node, "kind");
    const ride_yaml_node *hop = ride_yaml_get(e->node, "hop"), *delay = ride_yaml_get(e->node, "delay");
    size_t word;
    if (kind != NULL && ride_yaml_read_word(&b->reader, kind, "`kind`", kinds, 3, &word) == RIDE_OK)
        e->base.kind = (spec_kind)word;
    if (delay != NULL) e->ok &= spec_read_duration(b, delay, "`delay`", &e->base.delay_us);
    if (hop != NULL) e->ok &= spec_read_duration(b, hop, "`hop`", &e->base.hop_us);
    if (hop != NULL && e->base.kind != SPEC_HOPPING) fault(b, e, hop, "kind: hopping", "`hop` says nothing here%s", "");
    if (hop != NULL && e->base.kind == SPEC_HOPPING && e->base.hop_us == 0 && e->ok)
        fault(b, e, hop, NULL, "`hop` must be longer than 0%s", "");
    if (hop == NULL && e->base.kind == SPEC_HOPPING)
        fault(b, e, kind, "hop: 1h", "`kind: hopping` needs a `hop`%s", "");
    if (windows == NULL) {
        if (e->base.kind != SPEC_SLIDING) fault(b, e, kind, NULL, "`kind: %s` needs `windows`", kinds[e->base.kind]);
        return;
    }
    node = ride_yaml_find(e->node, "windows") != NULL ? &ride_yaml_find(e->node, "windows")->value : NULL;
    e->windows = list_of(node, &e->windows_count);
    if (e->windows_count == 0)
        fault(b, e, windows, "leave it out for everything retained", "`windows` is an empty list%s", "");
    for (uint32_t i = 0; i < e->windows_count; i++) {
        int64_t us = 0;
        if (!spec_read_duration(b, e->windows[i], "a window", &us)) e->ok = false;
        else if (us == 0) fault(b, e, e->windows[i], NULL, "a window must be longer than 0%s", "");
        else if (e->base.kind == SPEC_HOPPING && e->base.hop_us > us)
            fault(b, e, e->windows[i], NULL,
                  "the window `%s` is shorter than its `hop`: events between would be in none", e->windows[i]->text);
    }
    if ((e->ops_mask & OPS(RIDE_AGG_SINCE_FIRST)) != 0)
        fault(b, e, windows, "give it an entry of its own",
              "`since_first` takes no windows: it counts from the first event "
              "after a gap longer than the retention%s",
              "");
}

/* closed, ties, current: refused where they say nothing. */
static void read_ends(spec_builder *b, entry *e) {
    static const char *const closeds[] = {"right", "both", "left", "neither"};
    static const char *const tieses[] = {"arrival", "peers", "exclude"};
    static const char *const currents[] = {"include", "exclude"};
    const ride_yaml_node *closed = ride_yaml_get(e->node, "closed"), *ties = ride_yaml_get(e->node, "ties");
    const ride_yaml_node *current = ride_yaml_get(e->node, "current");
    size_t word;
    if (closed != NULL && ride_yaml_read_word(&b->reader, closed, "`closed`", closeds, 4, &word) == RIDE_OK)
        e->base.closed = (spec_closed)word;
    if (ties != NULL && ride_yaml_read_word(&b->reader, ties, "`ties`", tieses, 3, &word) == RIDE_OK)
        e->base.ties = (spec_ties)word;
    if (current != NULL && ride_yaml_read_word(&b->reader, current, "`current`", currents, 2, &word) == RIDE_OK)
        e->base.current = word == 0 ? SPEC_INCLUDE : SPEC_CURRENT_EXCLUDE;
    if (closed != NULL && e->base.kind != SPEC_SLIDING)
        fault(b, e, closed, NULL, "`closed` says nothing for %s windows: their ends are fixed",
              e->base.kind == SPEC_TUMBLING ? "tumbling" : "hopping");
    bool left = e->base.closed == SPEC_LEFT || e->base.closed == SPEC_NEITHER;
    const ride_yaml_node *both[] = {ties, current};
    static const char *const names[] = {"ties", "current"};
    for (int i = 0; i < 2; i++) {
        if (both[i] == NULL) continue;
        if (left)
            fault(b, e, both[i], NULL, "`%s` says nothing here: `closed` drops every event of the current time",
                  names[i]);
        else if (e->base.kind == SPEC_HOPPING)
            fault(b, e, both[i], NULL, "`%s` says nothing for hopping windows: they ended before the current event",
                  names[i]);
    }
    if (current != NULL && e->ops_mask != 0 && (e->ops_mask & ~(uint32_t)OPS_NEVER_CURRENT) == 0)
        fault(b, e, current, NULL, "`current` says nothing for `%s`: the current event is never part of it",
              spec_op_name(e->ops[0]));
}

static void read_labels(spec_builder *b, entry *e) {
    static const char *const words[] = {"fixed", "arrival"};
    const ride_yaml_node *node = ride_yaml_get(e->node, "labels");
    bool risk = (e->ops_mask & OPS(RIDE_AGG_RISK)) != 0;
    size_t word = 0;
    if (node != NULL && ride_yaml_read_word(&b->reader, node, "`labels`", words, 2, &word) != RIDE_OK) e->ok = false;
    if (node != NULL && !risk) fault(b, e, node, NULL, "`labels` says nothing without `risk`%s", "");
    if (!risk) return;
    if (b->priv->label_kind == RIDE_LABEL_NONE)
        fault(b, e, e->node, "label: FIELD on the source, or a label source", "`risk` needs labels%s", "");
    if (word == 0 && e->base.delay_us == 0 && ride_yaml_get(e->node, "delay") == NULL)
        fault(b, e, node != NULL ? node : e->node, "delay: 7d, or labels: arrival",
              "`risk` with `labels: fixed` needs a `delay`: a label is not known when its event is%s", "");
    else if (word == 0 && e->base.delay_us == 0 && e->ok)
        fault(b, e, ride_yaml_get(e->node, "delay"), "or labels: arrival",
              "`risk` with `labels: fixed` needs a `delay` longer than 0%s", "");
}

static void read_where(spec_builder *b, entry *e) {
    const ride_yaml_node *node = ride_yaml_get(e->node, "where");
    spec_private *p = b->priv;
    const char *text;
    e->base.condition = -1;
    if (node == NULL) return;
    if (ride_yaml_read_string(&b->reader, node, "`where`", &text) != RIDE_OK) {
        e->ok = false;
        return;
    }
    for (uint32_t i = 0; i < p->conditions_count; i++)
        if (strcmp(p->conditions_text[i], text) == 0) {
            e->base.condition = (int32_t)i;
            e->base.text = p->conditions_text[i];
            return;
        }
    if (p->conditions_count == SPEC_FEATURES_MAX) {
        fault(b, e, node, NULL, "too many conditions%s", "");
        return;
    }
    spec_scope scope;
    ride_expr_symbol *symbols = ride_arena_new(p->arena, ride_expr_symbol, RIDE_FIELDS_MAX);
    uint32_t *symbol_fields = ride_arena_new(p->arena, uint32_t, RIDE_FIELDS_MAX);
    if (symbols == NULL || symbol_fields == NULL) {
        b->no_memory = true;
        return;
    }
    scope = (spec_scope){.symbols = symbols,
                         .symbol_fields = symbol_fields,
                         .events = spec_events(b),
                         .columns = p->columns,
                         .columns_count = &p->columns_count,
                         .hashes = p->hashes,
                         .hashes_count = &p->hashes_count};
    spec_scope_make(b->spec, &scope, 0, 0, false);
    ride_expr_place place = {.file = b->reader.path,
                             .line = node->text_line,
                             .column = node->text_column,
                             .status = RIDE_E_SPEC};
    ride_expr_result result;
    if (ride_expr_compile(text, strlen(text), RIDE_EXPR_WANT_BOOL, &place, &scope.scope, &p->sections, &result,
                          b->reader.findings) != RIDE_OK) {
        e->ok = false;
        return;
    }
    p->conditions[p->conditions_count].program = result.program;
    p->conditions_text[p->conditions_count] = e->base.text = spec_text(b, text);
    if (e->base.text != NULL) e->base.condition = (int32_t)p->conditions_count++;
}

/* The feature's entry in both tables, or NULL when it was reported. */
static ride_feature_spec *add_feature(spec_builder *b, const ride_yaml_node *node, const char *name, bool given) {
    ride_spec *spec = b->spec;
    const ride_source_spec *events = spec_events(b);
    static const char *const reserved[] = {"ts", "margin", "probability"};
    ride_feature_spec *feature = &spec->features[spec->features_count];
    if (spec->features_count == SPEC_FEATURES_MAX) {
        ride_yaml_fault(&b->reader, node, NULL, "more than %d features", SPEC_FEATURES_MAX);
        return NULL;
    }
    *feature = (ride_feature_spec){.feature = spec->features_count, .line = node->line, .column = node->column};
    if (!spec_name(b, &b->reader, node->line, node->column, "feature name", name, feature->name, sizeof feature->name))
        return NULL;
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
        if (strcmp(name, reserved[i]) == 0) {
            ride_yaml_fault(&b->reader, node, NULL,
                            "a feature cannot be called `%s`: expressions know something else by it", name);
            return NULL;
        }
    if (spec_find_field(events, name) >= 0) {
        ride_yaml_fault(&b->reader, node, "give it another `name`", "the feature `%.200s` has the name of a field",
                        name);
        return NULL;
    }
    for (uint32_t i = 0; i < spec->features_count; i++)
        if (strcmp(spec->features[i].name, name) == 0) {
            ride_yaml_fault(&b->reader, node, given ? NULL : "give one of them a `name`",
                            "two features are called `%.200s` (the first at line %u)", name, spec->features[i].line);
            return NULL;
        }
    spec->features_count++;
    return feature;
}

static void describe(spec_builder *b, const spec_feature *f, ride_feature_spec *out) {
    const ride_source_spec *events = spec_events(b);
    char delay[48] = "", text[32];
    if (f->delay_us > 0)
        snprintf(delay, sizeof delay, " delayed %s", ride_duration_text(f->delay_us, text, sizeof text));
    int bytes = snprintf(out->text, sizeof out->text, "%s(%s) over %s by %s%s%s%.80s", spec_op_name(f->op),
                         f->field >= 0 ? events->fields[f->field].name : "",
                         f->window_text != NULL ? f->window_text : "all retained", b->spec->entities[f->entity].name,
                         delay, f->text != NULL ? " where " : "", f->text != NULL ? f->text : "");
    if (bytes >= (int)sizeof out->text) memcpy(out->text + sizeof out->text - 4, "...", 4); /* long names: cut */
}

/* Multiplies agg × windows out, in that order. */
static void add_entry(spec_builder *b, entry *e) {
    const ride_source_spec *events = spec_events(b);
    uint32_t windows = e->windows_count > 0 ? e->windows_count : 1;
    if (e->name != NULL && e->ops_count * windows != 1) {
        ride_yaml_fault_key(&b->reader, ride_yaml_find(e->node, "name"), "leave `name` out, or split the entry",
                            "`name` with %u features: it needs exactly one agg and at most one window",
                            e->ops_count * windows);
        return;
    }
    for (uint32_t i = 0; i < e->ops_count; i++)
        for (uint32_t w = 0; w < windows; w++) {
            char name[SPEC_FEATURE_NAME_BYTES * 2];
            spec_feature f = e->base;
            f.node = e->node;
            f.op = e->ops[i];
            f.window_text = e->windows_count > 0 ? spec_text(b, e->windows[w]->text) : NULL;
            if (f.window_text != NULL) ride_duration_parse(f.window_text, &f.window_us);
            if (e->name != NULL) snprintf(name, sizeof name, "%s", e->name);
            else
                snprintf(name, sizeof name, "%s%s%s_%s%s%s", b->spec->entities[f.entity].name, f.field >= 0 ? "_" : "",
                         f.field >= 0 ? events->fields[f.field].name : "", spec_op_name(f.op),
                         f.window_text != NULL ? "_" : "", f.window_text != NULL ? f.window_text : "");
            const ride_yaml_node *at = e->name != NULL ? ride_yaml_get(e->node, "name") : e->node;
            ride_feature_spec *feature = add_feature(b, at, name, e->name != NULL);
            if (feature == NULL) continue;
            b->priv->features[feature->feature] = f;
            describe(b, &f, feature);
        }
}

static void read_aggregate(spec_builder *b, const ride_yaml_node *node, const char *name) {
    static const char *const names[] = {"entity", "column", "agg",  "windows", "delay", "labels", "empty", "min_count",
                                        "where",  "closed", "ties", "current", "kind",  "hop",    "name",  NULL};
    static const char *const later[] = {"half_life", "k", "over", "approx", "panes", NULL};
    entry e = {.node = node, .name = name, .ok = true};
    spec_check_keys(b, node, "a feature", names, later);
    read_entity_name(b, &e);
    read_aggs(b, &e);
    read_column(b, &e);
    read_windows(b, &e);
    read_ends(b, &e);
    read_labels(b, &e);
    read_where(b, &e);
    const ride_yaml_node *empty = ride_yaml_get(node, "empty"), *min_count = ride_yaml_get(node, "min_count");
    uint64_t number = 0;
    if (empty != NULL) e.base.has_empty = ride_yaml_read_f64(&b->reader, empty, "`empty`", &e.base.empty) == RIDE_OK;
    if (min_count != NULL &&
        ride_yaml_read_u64(&b->reader, min_count, "`min_count`", 1, UINT32_MAX, &number) == RIDE_OK)
        e.base.min_count = (uint32_t)number;
    if (e.ok) add_entry(b, &e);
}

static void read_expression(spec_builder *b, const ride_yaml_node *node, const char *name) {
    static const char *const names[] = {"name", "expr", NULL};
    const ride_yaml_node *expr = ride_yaml_get(node, "expr"), *name_node = ride_yaml_get(node, "name");
    const char *text;
    spec_check_keys(b, node, "an `expr` feature", names, NULL);
    if (name_node == NULL) ride_yaml_fault(&b->reader, node, "name: ratio_1d_30d", "an `expr` feature needs a `name`");
    if (ride_yaml_read_string(&b->reader, expr, "`expr`", &text) != RIDE_OK || name == NULL) return;
    ride_feature_spec *feature = add_feature(b, name_node, name, true);
    if (feature == NULL) return;
    feature->is_expression = true;
    snprintf(feature->text, sizeof feature->text, "%s", text);
    b->priv->features[feature->feature] = (spec_feature){
        .node = node, .expr = expr, .text = spec_text(b, text), .is_expression = true, .field = -1, .condition = -1};
}

void spec_read_features(spec_builder *b, const ride_yaml_node *features) {
    for (uint32_t i = 0; i < features->count; i++) {
        const ride_yaml_node *node = features->items[i], *name_node = ride_yaml_get(node, "name");
        const char *name = NULL;
        if (ride_yaml_need(&b->reader, node, "a feature", RIDE_YAML_MAPPING) != RIDE_OK) continue;
        if (name_node != NULL) ride_yaml_read_string(&b->reader, name_node, "`name`", &name);
        if (ride_yaml_get(node, "expr") != NULL) read_expression(b, node, name);
        else read_aggregate(b, node, name);
    }
}

/* ---- scopes ---- */

static int32_t scope_hash_column(void *context, uint32_t symbol_index) {
    spec_scope *scope = context;
    uint32_t field = scope->symbol_fields[symbol_index];
    if (field == UINT32_MAX) return -1;
    return spec_hash_column(scope->events, field, scope->columns, scope->columns_count, scope->hashes,
                            scope->hashes_count);
}

static ride_key128 scope_hash_text(void *context, const char *text, size_t bytes) {
    (void)context;
    return ride_hash_bytes(text, bytes);
}

void spec_scope_make(const ride_spec *spec, spec_scope *out, uint32_t features_count, uint32_t expressions_end,
                     bool score) {
    const ride_source_spec *events = &spec->sources[spec->source_events];
    const spec_private *p = spec_private_of(spec);
    uint32_t count = 0;
    for (uint32_t i = 0; i < events->fields_count; i++) {
        const ride_field *field = &events->fields[i];
        if (field->hidden && (int32_t)i != events->field_label) continue;
        out->symbol_fields[count] = i;
        out->symbols[count++] =
            (ride_expr_symbol){.name = field->name,
                               .kind = RIDE_EXPR_FIELD,
                               .index = field->column,
                               .type = field->tile_type,
                               .scale = field->scale,
                               .nullable = field->nullable,
                               .categories = field->type == RIDE_FIELD_CATEGORY ? field->categories : NULL,
                               .categories_count = field->categories_count,
                               .refusal =
                                   (int32_t)i == events->field_label ? "is the label: it would leak the answer" : NULL};
    }
    for (uint32_t i = 0; i < features_count; i++) {
        const spec_feature *f = &p->features[i];
        out->symbol_fields[count] = UINT32_MAX;
        out->symbols[count++] = (ride_expr_symbol){.name = spec->features[i].name,
                                                   .kind = RIDE_EXPR_FEATURE,
                                                   .index = i,
                                                   .type = f->is_bool ? RIDE_TYPE_BOOL : RIDE_TYPE_F64,
                                                   .nullable = true,
                                                   .refusal = f->is_expression && i >= expressions_end
                                                                  ? "is an expression that is declared later"
                                                                  : NULL};
    }
    static const char *const scores[] = {"margin", "probability"};
    for (uint32_t i = 0; i < 2 && score; i++) {
        out->symbol_fields[count] = UINT32_MAX;
        out->symbols[count++] =
            (ride_expr_symbol){.name = scores[i],
                               .kind = RIDE_EXPR_SCORE,
                               .index = spec->features_count + (i == 0 ? RIDE_OUT_MARGIN : RIDE_OUT_PROBABILITY),
                               .type = RIDE_TYPE_F64,
                               .nullable = true};
    }
    out->scope = (ride_expr_scope){.symbols = out->symbols,
                                   .symbols_count = count,
                                   .hash_column = scope_hash_column,
                                   .hash_text = scope_hash_text,
                                   .context = out,
                                   .time_column = RIDE_COLUMN_TIME};
}
