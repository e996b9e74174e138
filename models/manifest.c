/* models/manifest.c: an ensemble's manifest (docs/models.md): YAML, whose findings are told with line and column, and the members' own files. */
#include "lib/yaml.h"
#include "models/ensemble_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct manifest {
    ride_yaml_reader reader;
    ride_ensemble *ensemble;
    const ride_model_options *options;
    uint64_t bytes_left; /* of all members' files */
    ride_status status;  /* of the first finding */
} manifest;

static void told(manifest *m, ride_status st) {
    if (m->status == RIDE_OK) m->status = st;
}

bool ride_manifest_recognises(const void *data, size_t bytes) {
    const char *at = data, *end = at + bytes;
    if (bytes >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0) at += 3;
    while (at < end) {
        const char *next = memchr(at, '\n', (size_t)(end - at));
        if (next == NULL) next = end;
        const char *from = at;
        while (from < next && (*from == ' ' || *from == '\t' || *from == '\r')) from++;
        const size_t rest = (size_t)(next - from);
        const bool is_nothing = rest == 0 || *from == '#' || (from == at && rest >= 3 && memcmp(from, "---", 3) == 0);
        if (!is_nothing) return rest >= 9 && from == at && memcmp(from, "ensemble:", 9) == 0;
        at = next < end ? next + 1 : end;
    }
    return false;
}

static const char *copy(manifest *m, const char *text) {
    const char *kept = ride_arena_text(m->ensemble->arena, text, strlen(text));
    if (kept == NULL)
        told(m, ride_diagnose(m->reader.findings, RIDE_E_MEMORY, m->reader.path, 0, 0, NULL,
                              "no memory for the manifest"));
    return kept;
}

static bool is_good(manifest *m, ride_status st) {
    told(m, st);
    return st == RIDE_OK;
}

/* A list of finite numbers, not descending where they must not be. */
static const double *read_numbers(manifest *m, const ride_yaml_node *node, const char *what, bool ascends,
                                  uint32_t *count) {
    *count = 0;
    if (!is_good(m, ride_yaml_need(&m->reader, node, what, RIDE_YAML_SEQUENCE))) return NULL;
    if (node->count == 0 || node->count > RIDE_ENSEMBLE_POINTS_MAX) {
        told(m, ride_yaml_fault(&m->reader, node, NULL, "%s has %u numbers: 1 to %d", what, node->count,
                                RIDE_ENSEMBLE_POINTS_MAX));
        return NULL;
    }
    double *to = ride_arena_new(m->ensemble->arena, double, node->count);
    if (to == NULL) {
        told(m, ride_yaml_fault(&m->reader, node, NULL, "no memory for %s", what));
        return NULL;
    }
    for (uint32_t i = 0; i < node->count; i++) {
        if (!is_good(m, ride_yaml_read_f64(&m->reader, node->items[i], what, &to[i]))) return NULL;
        if (ascends && i > 0 && to[i] < to[i - 1]) {
            told(m, ride_yaml_fault(&m->reader, node->items[i], "sort them", "%s: %g is below the number before it",
                                    what, to[i]));
            return NULL;
        }
    }
    *count = node->count;
    return to;
}

static void read_platt(manifest *m, const ride_yaml_node *node, ride_model_calibration *out) {
    static const char *const keys[] = {"a", "b"};
    if (!is_good(m, ride_yaml_need(&m->reader, node, "`platt`", RIDE_YAML_MAPPING))) return;
    told(m, ride_yaml_check_keys(&m->reader, node, "`platt`", keys, 2));
    double *const to[] = {&out->a, &out->b};
    for (int i = 0; i < 2; i++) {
        const ride_yaml_node *value = ride_yaml_get(node, keys[i]);
        if (value == NULL)
            told(m, ride_yaml_fault(&m->reader, node, "platt: {a: -1.0, b: 0.0}", "`platt` lacks `%s`", keys[i]));
        else told(m, ride_yaml_read_f64(&m->reader, value, keys[i], to[i]));
    }
    out->kind = RIDE_CALIBRATION_PLATT;
}

static void read_isotonic(manifest *m, const ride_yaml_node *node, ride_model_calibration *out) {
    static const char *const keys[] = {"x", "y"};
    if (!is_good(m, ride_yaml_need(&m->reader, node, "`isotonic`", RIDE_YAML_MAPPING))) return;
    told(m, ride_yaml_check_keys(&m->reader, node, "`isotonic`", keys, 2));
    const ride_yaml_node *x = ride_yaml_get(node, "x"), *y = ride_yaml_get(node, "y");
    if (x == NULL || y == NULL) {
        told(m, ride_yaml_fault(&m->reader, node, "isotonic: {x: [0.1, 0.9], y: [0.0, 1.0]}", "`isotonic` lacks `%s`",
                                x == NULL ? "x" : "y"));
        return;
    }
    uint32_t y_count;
    out->x = read_numbers(m, x, "`x`", true, &out->points_count);
    out->y = read_numbers(m, y, "`y`", false, &y_count);
    if (out->x != NULL && out->y != NULL && out->points_count != y_count)
        told(m, ride_yaml_fault(&m->reader, y, NULL, "`y` has %u numbers, `x` has %u", y_count, out->points_count));
    out->kind = RIDE_CALIBRATION_CURVE;
}

static void read_calibration(manifest *m, const ride_yaml_node *node, ride_model_calibration *out) {
    static const char *const keys[] = {"platt", "isotonic", "of"}, *const of[] = {"answer", "margin"};
    if (!is_good(m, ride_yaml_need(&m->reader, node, "`calibration`", RIDE_YAML_MAPPING))) return;
    told(m, ride_yaml_check_keys(&m->reader, node, "`calibration`", keys, 3));
    const ride_yaml_node *platt = ride_yaml_get(node, "platt"), *isotonic = ride_yaml_get(node, "isotonic");
    const ride_yaml_node *what = ride_yaml_get(node, "of");
    if ((platt == NULL) == (isotonic == NULL)) {
        told(m, ride_yaml_fault(&m->reader, node, NULL, "`calibration` is one of `platt` and `isotonic`"));
        return;
    }
    if (platt != NULL) read_platt(m, platt, out);
    else read_isotonic(m, isotonic, out);
    size_t word = 0;
    if (what != NULL) told(m, ride_yaml_read_word(&m->reader, what, "`of`", of, 2, &word));
    out->of_margin = word == 1;
}

/* ---- members ---- */

/* A path of the manifest, relative to it. */
static char *path_of(const manifest *m, const char *path) {
    const char *slash = strrchr(m->reader.path, '/');
    const size_t folder = path[0] == '/' || slash == NULL ? 0 : (size_t)(slash - m->reader.path) + 1;
    char *full = malloc(folder + strlen(path) + 1);
    if (full == NULL) return NULL;
    memcpy(full, m->reader.path, folder);
    memcpy(full + folder, path, strlen(path) + 1);
    return full;
}

typedef struct placed {
    const char *name;
    uint32_t place;
} placed;
static int compare_placed(const void *a, const void *b) {
    const placed *x = a, *y = b;
    const int order = strcmp(x->name, y->name);
    return order != 0 ? order : (x->place > y->place) - (x->place < y->place);
}

/* Tells of each name that was there before; false without the memory to look. */
static bool tell_twice(manifest *m, const ride_yaml_node *node, const ride_model *model) {
    placed *sorted = malloc(((size_t)model->inputs_count + 1) * sizeof *sorted);
    if (sorted == NULL) {
        told(m, ride_yaml_fault(&m->reader, node, NULL, "no memory for %u names", model->inputs_count));
        return false;
    }
    for (uint32_t i = 0; i < model->inputs_count; i++) sorted[i] = (placed){model->inputs[i].name, i};
    qsort(sorted, model->inputs_count, sizeof *sorted, compare_placed);
    for (uint32_t i = 1; i < model->inputs_count; i++)
        if (strcmp(sorted[i - 1].name, sorted[i].name) == 0)
            told(m, ride_yaml_fault(&m->reader, node->items[sorted[i].place], NULL, "`%.60s` twice", sorted[i].name));
    free(sorted);
    return true;
}

/* Names of a model's inputs, which its file does not have. */
static void name_inputs(manifest *m, const ride_yaml_node *node, ride_model *model) {
    if (!is_good(m, ride_yaml_need(&m->reader, node, "`inputs`", RIDE_YAML_SEQUENCE))) return;
    if (model->has_names) {
        told(m, ride_yaml_fault(&m->reader, node, "take `inputs` out", "the model's file names its inputs itself"));
        return;
    }
    if (node->count != model->inputs_count) {
        told(m, ride_yaml_fault(&m->reader, node, NULL, "%u names, and the model has %u inputs", node->count,
                                model->inputs_count));
        return;
    }
    for (uint32_t i = 0; i < node->count; i++) {
        const char *name = NULL;
        if (!is_good(m, ride_yaml_read_string(&m->reader, node->items[i], "a name", &name))) return;
        if ((model->inputs[i].name = copy(m, name)) == NULL) return;
    }
    if (tell_twice(m, node, model)) model->has_names = true;
}

/* A member's file with findings of its own, since a parser looks at whether there were any; then they join the others. */
static ride_status load_file(manifest *m, const char *path, const ride_model_options *options, ride_model **out) {
    ride_diagnostics *own = malloc(sizeof *own);
    if (own == NULL) return RIDE_E_MEMORY;
    ride_diagnostics_init(own);
    const ride_status st = ride_model_load(path, options, out, own);
    for (uint32_t i = 0; i < own->count; i++) {
        const ride_diagnostic *f = &own->items[i];
        ride_diagnose(m->reader.findings, f->status, f->file, f->line, f->column, f->advice, "%s", f->message);
    }
    ride_diagnostics_free(own);
    free(own);
    return st;
}

static void load_model(manifest *m, const ride_yaml_node *node, ride_model_member *out) {
    const char *path = NULL;
    ride_model_options options = *m->options;
    if (!is_good(m, ride_yaml_read_string(&m->reader, node, "`model`", &path))) return;
    if (m->options->no_files) {
        told(m, ride_yaml_fault(&m->reader, node, "load the manifest by its own path",
                                "a manifest from memory opens no file, and the member is `%.60s`", path));
        return;
    }
    char *full = path_of(m, path);
    if (full == NULL) {
        told(m, ride_yaml_fault(&m->reader, node, NULL, "no memory for a path"));
        return;
    }
    if (out->name == NULL) { /* the file's own: "models/card.json" is `card` */
        const char *slash = strrchr(path, '/'), *from = slash != NULL ? slash + 1 : path, *dot = strchr(from, '.');
        out->name = ride_arena_text(m->ensemble->arena, from, dot != NULL ? (size_t)(dot - from) : strlen(from));
    }
    options.bytes_max = m->bytes_left > 0 ? m->bytes_left : 1; /* 0 would be the default */
    const ride_status st = load_file(m, full, &options, &out->model);
    free(full);
    told(m, st);
    if (out->model != NULL)
        m->bytes_left -= out->model->file_bytes < m->bytes_left ? out->model->file_bytes : m->bytes_left;
    if (st != RIDE_OK) told(m, ride_yaml_fault(&m->reader, node, NULL, "the member `%.60s` cannot be used", out->name));
}

static void read_positive(manifest *m, const ride_yaml_node *node, const char *what, double *out) {
    if (is_good(m, ride_yaml_read_f64(&m->reader, node, what, out)) && *out <= 0.0)
        told(m, ride_yaml_fault(&m->reader, node, NULL, "%s must be above 0", what));
}

static void read_member(manifest *m, const ride_yaml_node *node, const ride_yaml_node *inputs, const char *what,
                        ride_model_member *out) {
    static const char *const keys[] = {"name", "model", "weight", "threshold", "calibration", "quantiles", "inputs"};
    *out = (ride_model_member){.weight = 1.0, .threshold = 0.5, .line = node->line, .column = node->column};
    if (!is_good(m, ride_yaml_need(&m->reader, node, what, RIDE_YAML_MAPPING))) return;
    told(m, ride_yaml_check_keys(&m->reader, node, what, keys, sizeof keys / sizeof *keys));
    const ride_yaml_node *name = ride_yaml_get(node, "name"), *model = ride_yaml_get(node, "model");
    const ride_yaml_node *weight = ride_yaml_get(node, "weight"), *threshold = ride_yaml_get(node, "threshold");
    const ride_yaml_node *calibration = ride_yaml_get(node, "calibration");
    const ride_yaml_node *quantiles = ride_yaml_get(node, "quantiles"), *own = ride_yaml_get(node, "inputs");
    const char *text = NULL;
    if (name != NULL && is_good(m, ride_yaml_read_string(&m->reader, name, "`name`", &text))) out->name = copy(m, text);
    if (weight != NULL) read_positive(m, weight, "`weight`", &out->weight);
    if (threshold != NULL) told(m, ride_yaml_read_f64(&m->reader, threshold, "`threshold`", &out->threshold));
    if (calibration != NULL) read_calibration(m, calibration, &out->calibration);
    if (quantiles != NULL) out->quantiles = read_numbers(m, quantiles, "`quantiles`", true, &out->quantiles_count);
    if (model == NULL) told(m, ride_yaml_fault(&m->reader, node, "model: FILE", "%s has no `model`", what));
    else load_model(m, model, out);
    if (out->model == NULL) return;
    if (own != NULL) name_inputs(m, own, out->model);
    else if (inputs != NULL && !out->model->has_names) name_inputs(m, inputs, out->model);
}

static void read_members(manifest *m, const ride_yaml_node *root) {
    ride_ensemble *e = m->ensemble;
    const ride_yaml_node *list = ride_yaml_get(root, "members"), *stacker = ride_yaml_get(root, "stacker");
    const ride_yaml_node *inputs = ride_yaml_get(root, "inputs");
    if (list == NULL) {
        told(m, ride_yaml_fault(&m->reader, root, "members: [{model: FILE}, …]", "no `members`"));
        return;
    }
    if (!is_good(m, ride_yaml_need(&m->reader, list, "`members`", RIDE_YAML_SEQUENCE))) return;
    if (list->count == 0 || list->count > RIDE_MEMBERS_MAX) {
        told(m, ride_yaml_fault(&m->reader, list, NULL, "%u members: 1 to %d", list->count, RIDE_MEMBERS_MAX));
        return;
    }
    e->members = ride_arena_new(e->arena, ride_model_member, (size_t)list->count + 1);
    if (e->members == NULL) {
        told(m, ride_yaml_fault(&m->reader, list, NULL, "no memory for %u members", list->count));
        return;
    }
    e->members_count = list->count;
    for (uint32_t i = 0; i < list->count; i++) {
        char what[32];
        snprintf(what, sizeof what, "member %u", i + 1);
        read_member(m, list->items[i], inputs, what, &e->members[i]);
    }
    if (stacker == NULL) return;
    read_member(m, stacker, NULL, "`stacker`", &e->members[e->members_count]);
    e->has_stacker = true;
}

/* ---- the combination ---- */

static void read_band(manifest *m, const ride_yaml_node *root) {
    const ride_yaml_node *node = ride_yaml_get(root, "band");
    const bool wanted = m->ensemble->combine == RIDE_COMBINE_CASCADE;
    uint32_t count;
    if (node == NULL && wanted)
        told(m,
             ride_yaml_fault(&m->reader, root, "band: [0.1, 0.9]",
                             "a cascade needs to know between which answers of its first member the others are asked"));
    if (node == NULL) return;
    if (!wanted) {
        told(m, ride_yaml_fault(&m->reader, node, NULL, "`band` is of a cascade only"));
        return;
    }
    const double *band = read_numbers(m, node, "`band`", true, &count);
    if (band == NULL) return;
    if (count != 2) {
        told(m, ride_yaml_fault(&m->reader, node, NULL, "`band` has %u numbers: the least and the greatest", count));
        return;
    }
    m->ensemble->low = band[0];
    m->ensemble->high = band[1];
}

/* The member of that name. */
static bool read_choice(manifest *m, const ride_yaml_node *node, uint32_t *out) {
    const ride_ensemble *e = m->ensemble;
    const char *name = NULL, *names[RIDE_MEMBERS_MAX];
    if (!is_good(m, ride_yaml_read_string(&m->reader, node, "a member's name", &name))) return false;
    for (uint32_t i = 0; i < e->members_count; i++) {
        names[i] = e->members[i].name != NULL ? e->members[i].name : "";
        if (strcmp(names[i], name) != 0) continue;
        *out = i;
        return true;
    }
    const char *near = ride_nearest(name, names, e->members_count);
    char advice[96];
    snprintf(advice, sizeof advice, "did you mean `%.60s`?", near != NULL ? near : names[0]);
    told(m, ride_yaml_fault(&m->reader, node, advice, "there is no member `%.60s`", name));
    return false;
}

static void read_segment(manifest *m, const ride_yaml_node *root) {
    static const char *const keys[] = {"input", "values", "otherwise"};
    ride_ensemble *e = m->ensemble;
    const ride_yaml_node *node = ride_yaml_get(root, "segment");
    const bool wanted = e->combine == RIDE_COMBINE_SEGMENT;
    const char *example = "segment: {input: channel, values: {ecom: shops}, otherwise: all}";
    if (node == NULL && wanted) told(m, ride_yaml_fault(&m->reader, root, example, "no `segment`"));
    if (node == NULL) return;
    if (!wanted) {
        told(m, ride_yaml_fault(&m->reader, node, NULL, "`segment` is of `combine: segment` only"));
        return;
    }
    if (!is_good(m, ride_yaml_need(&m->reader, node, "`segment`", RIDE_YAML_MAPPING))) return;
    told(m, ride_yaml_check_keys(&m->reader, node, "`segment`", keys, 3));
    const ride_yaml_node *input = ride_yaml_get(node, "input"), *values = ride_yaml_get(node, "values");
    const ride_yaml_node *otherwise = ride_yaml_get(node, "otherwise");
    if (input == NULL || values == NULL || otherwise == NULL) {
        told(m, ride_yaml_fault(&m->reader, node, example, "`segment` lacks `%s`",
                                input == NULL    ? "input"
                                : values == NULL ? "values"
                                                 : "otherwise"));
        return;
    }
    const char *text = NULL;
    if (is_good(m, ride_yaml_read_string(&m->reader, input, "`input`", &text))) e->segment_input = copy(m, text);
    (void)read_choice(m, otherwise, &e->segment_otherwise);
    if (!is_good(m, ride_yaml_need(&m->reader, values, "`values`", RIDE_YAML_MAPPING))) return;
    if (values->count == 0) {
        told(m, ride_yaml_fault(&m->reader, values, example, "`values` is empty: no row would choose a member"));
        return;
    }
    e->segments = ride_arena_new(e->arena, ride_model_segment, (size_t)values->count + 1);
    if (e->segments == NULL || values->count > RIDE_ENSEMBLE_POINTS_MAX) {
        told(m, ride_yaml_fault(&m->reader, values, NULL, "%u values: at most %d", values->count,
                                RIDE_ENSEMBLE_POINTS_MAX));
        return;
    }
    for (uint32_t i = 0; i < values->count; i++) {
        ride_model_segment *segment = &e->segments[e->segments_count];
        const ride_yaml_pair *pair = &values->pairs[i];
        *segment =
            (ride_model_segment){.value = copy(m, pair->key), .line = pair->key_line, .column = pair->key_column};
        if (read_choice(m, pair->value, &segment->member) && segment->value != NULL) e->segments_count++;
    }
}

static void read_combine(manifest *m, const ride_yaml_node *root) {
    static const char *const words[] = {"mean", "logit_mean", "rank_mean", "vote", "stack", "cascade", "segment"};
    ride_ensemble *e = m->ensemble;
    const ride_yaml_node *node = ride_yaml_get(root, "combine"), *stacker = ride_yaml_get(root, "stacker");
    size_t word = 0;
    e->combine = RIDE_COMBINE_ONE;
    if (node != NULL) {
        if (is_good(m, ride_yaml_read_word(&m->reader, node, "`combine`", words, sizeof words / sizeof *words, &word)))
            e->combine = RIDE_COMBINE_MEAN + (ride_combine)word;
    } else if (e->members_count > 1)
        told(m, ride_yaml_fault(&m->reader, root, "combine: mean", "several members, and no `combine`"));
    if (e->combine == RIDE_COMBINE_STACK && stacker == NULL)
        told(m, ride_yaml_fault(&m->reader, root, "stacker: {model: FILE}", "`stack` needs a `stacker`"));
    if (e->combine != RIDE_COMBINE_STACK && stacker != NULL)
        told(m, ride_yaml_fault(&m->reader, stacker, NULL, "`stacker` is of `combine: stack` only"));
    read_band(m, root);
    read_segment(m, root);
}

static void read_root(manifest *m, const ride_yaml_node *root) {
    static const char *const keys[] = {"ensemble", "combine", "members", "inputs",
                                       "stacker",  "band",    "segment", "calibration"};
    if (!is_good(m, ride_yaml_need(&m->reader, root, "the manifest", RIDE_YAML_MAPPING))) return;
    told(m, ride_yaml_check_keys(&m->reader, root, "the manifest", keys, sizeof keys / sizeof *keys));
    const ride_yaml_node *version = ride_yaml_get(root, "ensemble"), *calibration = ride_yaml_get(root, "calibration");
    int64_t number;
    if (version != NULL) told(m, ride_yaml_read_i64(&m->reader, version, "`ensemble` (its version)", 1, 1, &number));
    if (calibration != NULL) read_calibration(m, calibration, &m->ensemble->calibration);
    read_members(m, root);
    if (m->ensemble->members_count > 0) read_combine(m, root);
}

ride_status ride_manifest_read(const char *path, const void *data, size_t bytes, const ride_model_options *options,
                               ride_ensemble **out, ride_diagnostics *findings) {
    static const ride_model_options none = {0};
    ride_yaml *yaml = NULL;
    manifest m = {.reader = {.path = path, .status = RIDE_E_MODEL, .findings = findings},
                  .options = options != NULL ? options : &none};
    m.bytes_left = m.options->bytes_max != 0 ? m.options->bytes_max : UINT64_C(1) << 30;
    *out = NULL;
    RIDE_TRY(ride_yaml_parse(&m.reader, data, bytes, &yaml));
    ride_status st = ride_ensemble_create(path, 0, &m.ensemble, findings);
    if (st == RIDE_OK) {
        m.ensemble->is_manifest = true;
        read_root(&m, ride_yaml_root(yaml));
        st = m.status == RIDE_OK ? ride_ensemble_finish(m.ensemble, data, bytes, findings) : m.status;
    }
    ride_yaml_destroy(yaml);
    if (st == RIDE_OK) *out = m.ensemble;
    else ride_ensemble_destroy(m.ensemble);
    return st;
}
