/* config/load.c: the layers, one over the other: defaults, file, environment, --set. Each value is checked where it is given, also
 * one that a later layer replaces; what they amount to is checked at the end (check.c). */
#include "config/config_internal.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char environment_prefix[] = "RIDE__", environment_name[] = "environment", set_name[] = "--set";

static void fault(config_builder *b, ride_config_origin at, const char *advice, const char *format, ...)
    RIDE_PRINTF(4, 5);
static void fault(config_builder *b, ride_config_origin at, const char *advice, const char *format, ...) {
    char message[768];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    ride_diagnose(b->reader.findings, RIDE_E_CONFIG, at.name, at.line, at.column,
                  advice != NULL && *advice != '\0' ? advice : NULL, "%s", message);
}

static ride_config_origin place(const config_builder *b, uint32_t line, uint32_t column) {
    return (ride_config_origin){RIDE_CONFIG_FILE, b->reader.path, line, column};
}

static const char *copy(config_builder *b, const char *text) {
    const char *made = ride_arena_text(b->priv->arena, text, strlen(text));
    if (made == NULL) b->no_memory = true;
    return made;
}

/* The source's name as the config keeps it, or NULL when there are too many. */
static const char *source_of(config_builder *b, const char *name, ride_config_origin at) {
    config_private *p = b->priv;
    for (uint32_t i = 0; i < p->sources_count; i++)
        if (strcmp(p->sources[i], name) == 0) return p->sources[i];
    if (p->sources_count == RIDE_SOURCES_MAX) {
        fault(b, at, NULL, "`inputs` has more than %d sources", RIDE_SOURCES_MAX);
        return NULL;
    }
    const char *made = copy(b, name);
    if (made != NULL) p->sources[p->sources_count++] = made;
    return made;
}

/* The same of a member of an open group. */
static const char *member_of(config_builder *b, const char *group, const char *name, ride_config_origin at) {
    config_private *p = b->priv;
    const bool is_raw = strcmp(group, CONFIG_RAW) == 0;
    const char **names = is_raw ? p->raws : p->texts;
    uint32_t *count = is_raw ? &p->raws_count : &p->texts_count;
    const uint32_t most = is_raw ? RIDE_CONFIG_RAW_MAX : RIDE_CONFIG_TEXTS_MAX;
    for (uint32_t i = 0; i < *count; i++)
        if (strcmp(names[i], name) == 0) return names[i];
    if (*count == most) {
        fault(b, at, NULL, "`%s` has more than %u %s", group, most, is_raw ? "options" : "texts");
        return NULL;
    }
    const char *made = copy(b, name);
    if (made != NULL) names[(*count)++] = made;
    return made;
}

static config_setting *setting_of(config_builder *b, const config_option *option, const char *source) {
    config_private *p = b->priv;
    for (uint32_t i = 0; i < p->settings_count; i++)
        if (p->settings[i].option == option && p->settings[i].source == source) return &p->settings[i];
    RIDE_ASSERT(p->settings_count < p->settings_max);
    p->settings[p->settings_count] = (config_setting){.option = option, .source = source};
    return &p->settings[p->settings_count++];
}

static const char *resolved(config_builder *b, const config_option *option, const char *text, ride_config_layer layer) {
    bool is_path = option->type == CONFIG_PATH || option->type == CONFIG_STREAM;
    bool is_standard = option->type == CONFIG_STREAM && strcmp(text, "-") == 0;
    if (!is_path || is_standard || text[0] == '/' || layer != RIDE_CONFIG_FILE || b->folder[0] == '\0')
        return copy(b, text);
    size_t folder = strlen(b->folder), bytes = strlen(text);
    char *path = ride_arena_alloc(b->priv->arena, folder + bytes + 1, 1);
    if (path == NULL) {
        b->no_memory = true;
        return NULL;
    }
    memcpy(path, b->folder, folder);
    memcpy(path + folder, text, bytes + 1);
    return path;
}

static void keep(config_builder *b, const config_option *option, const char *source, config_setting given) {
    const char *open = config_open_group(option->key);
    const char *kept = source == NULL ? NULL
                       : open != NULL ? member_of(b, open, source, given.origin)
                                      : source_of(b, source, given.origin);
    if (b->no_memory || (source != NULL && kept == NULL)) return;
    given.option = option;
    given.source = kept;
    *setting_of(b, option, kept) = given;
}

/* text NULL: unset. source: as written, NULL but for inputs. */
static void give(config_builder *b, const config_option *option, const char *source, const char *text, bool quoted,
                 ride_config_origin at) {
    char key[CONFIG_KEY_BYTES];
    config_value value = {0};
    config_fault wrong;
    config_key_of(option, source, key);
    if (option->unavailable != NULL && text != NULL)
        fault(b, at, option->unavailable, "`%s` is not supported yet", key);
    const char *owner = source != NULL && config_is_below(option->key, CONFIG_RAW) ? config_raw_owner(source) : NULL;
    if (owner != NULL && text != NULL) fault(b, at, owner, "`%s` is not for `" CONFIG_RAW "`", key);
    bool good =
        text == NULL || option->type == CONFIG_COUNTS || config_value_read(option, text, quoted, &value, &wrong);
    if (!good) fault(b, at, wrong.advice, "`%s` %s", key, wrong.message);
    if (option->unavailable != NULL) return;
    if (value.text != NULL) value.text = resolved(b, option, value.text, at.layer);
    keep(b, option, source, (config_setting){.value = value, .origin = at, .is_wrong = !good});
}

static void give_node(config_builder *b, const config_option *option, const char *source, const ride_yaml_node *node) {
    ride_config_origin at = place(b, node->line, node->column);
    char key[CONFIG_KEY_BYTES];
    if (ride_yaml_is_null(node)) give(b, option, source, NULL, false, at);
    else if (node->kind == RIDE_YAML_SCALAR) give(b, option, source, node->text, node->quoted, at);
    else if (option->unavailable != NULL) give(b, option, source, "", false, at);
    else {
        config_key_of(option, source, key);
        fault(b, at, NULL, "`%s` must be a value, not %s", key, ride_yaml_kind_name(node));
        keep(b, option, source, (config_setting){.origin = at, .is_wrong = true});
    }
}

static void unknown_name(config_builder *b, const ride_yaml_pair *pair, const char *group, const char *shown) {
    const char *names[64];
    size_t count = 0;
    char advice[CONFIG_KEY_BYTES + 32] = "", elsewhere[CONFIG_KEY_BYTES];
    for (uint32_t i = 0; i < config_options_count; i++)
        if (config_is_below(config_options[i].key, group)) names[count++] = config_last_name(config_options[i].key);
    for (uint32_t i = 0; i < config_groups_count; i++)
        if (config_is_below(config_groups[i].key, group) && strcmp(config_groups[i].key, CONFIG_RULE) != 0)
            names[count++] = config_last_name(config_groups[i].key);
    if (group[0] == '\0') names[count++] = "rules";
    const char *near = ride_nearest(pair->key, names, count);
    if (near == NULL) config_suggest(pair->key, elsewhere);
    if (near != NULL) snprintf(advice, sizeof advice, "did you mean `%s`?", near);
    else if (elsewhere[0] != '\0') snprintf(advice, sizeof advice, "did you mean `%s`?", elsewhere);
    fault(b, place(b, pair->key_line, pair->key_column), advice, "unknown key `%.200s` in %s", pair->key, shown);
}

/* The group was told as wrong: nothing below it lacks besides. */
static void wrong_below(config_builder *b, const char *group, const char *source, const ride_yaml_node *node) {
    ride_config_origin at = place(b, node->line, node->column);
    size_t bytes = strlen(group);
    for (uint32_t i = 0; i < config_options_count; i++) {
        const config_option *option = &config_options[i];
        bool of_input = config_is_below(option->key, CONFIG_INPUT);
        if (strncmp(option->key, group, bytes) != 0 || option->key[bytes] != '.') continue;
        if (config_open_group(option->key) != NULL || option->unavailable != NULL) continue;
        if (of_input == (source != NULL)) keep(b, option, source, (config_setting){.origin = at, .is_wrong = true});
    }
}

/* group: the table's key; source: of inputs, else NULL; shown: how messages name it. */
static void walk(config_builder *b, const ride_yaml_node *node, const char *group, const char *source,
                 const char *shown) {
    const config_group *row = config_find_group(group);
    char key[CONFIG_KEY_BYTES], name[CONFIG_KEY_BYTES];
    if (ride_yaml_is_null(node)) return;
    if (node->kind == RIDE_YAML_SCALAR && row != NULL && row->main != NULL) {
        snprintf(key, sizeof key, "%s.%s", group, row->main);
        give_node(b, config_find_option(key), source, node);
        return;
    }
    if (ride_yaml_need(&b->reader, node, shown, RIDE_YAML_MAPPING) != RIDE_OK) {
        wrong_below(b, group, source, node);
        return;
    }
    for (uint32_t i = 0; i < node->count; i++) {
        const ride_yaml_pair *pair = &node->pairs[i];
        snprintf(key, sizeof key, "%s%s%.80s", group, group[0] != '\0' ? "." : "", pair->key);
        snprintf(name, sizeof name, "`%.90s%s%.80s`", group, group[0] != '\0' ? "." : "", pair->key);
        bool one_name =
            strchr(pair->key, '.') == NULL && strchr(pair->key, '[') == NULL; /* no path written as a name */
        const config_option *option = one_name ? config_find_option(key) : NULL;
        if (config_is_open(group)) {
            snprintf(key, sizeof key, "%s.<name>", group);
            if (config_open_is_good(group, pair->key)) give_node(b, config_find_option(key), pair->key, pair->value);
            else
                fault(b, place(b, pair->key_line, pair->key_column), NULL, "`%.80s` is no name %s", pair->key,
                      strcmp(group, CONFIG_RAW) == 0 ? "of an option of librdkafka" : "or pattern of an input");
        } else if (strcmp(group, "inputs") == 0) {
            if (config_source_is_good(pair->key)) walk(b, pair->value, CONFIG_INPUT, pair->key, name);
            else
                fault(b, place(b, pair->key_line, pair->key_column), NULL, "`%.80s` is no name of a source", pair->key);
        } else if (option != NULL) give_node(b, option, source, pair->value);
        else if (strcmp(key, "rules") == 0) config_read_rules(b, pair->value);
        else if (one_name && config_find_group(key) != NULL) walk(b, pair->value, key, NULL, name);
        else unknown_name(b, pair, group, shown);
    }
}

static void unknown_key(config_builder *b, ride_config_origin at, const char *key, const char *written) {
    char near[CONFIG_KEY_BYTES], advice[CONFIG_KEY_BYTES + 32] = "";
    if (strcmp(key, "rules") == 0 || strncmp(key, "rules[", 6) == 0 || strncmp(key, "rules.", 6) == 0) {
        fault(b, at, NULL, "`%.80s`: rules are given in the file only", written);
        return;
    }
    if (config_find_group(key) != NULL) {
        fault(b, at, NULL, "`%.80s` is a group of options: set one of them (ride config explain %s)", written, key);
        return;
    }
    config_suggest(key, near);
    if (near[0] != '\0' && at.layer == RIDE_CONFIG_ENVIRONMENT) {
        size_t used = (size_t)snprintf(advice, sizeof advice, "did you mean `RIDE__");
        for (const char *p = near; *p != '\0' && used + 4 < sizeof advice; p++) {
            if (*p == '.') advice[used++] = '_';
            advice[used++] = (char)(*p == '.' ? '_' : toupper((unsigned char)*p));
        }
        snprintf(advice + used, sizeof advice - used, "`?");
    } else if (near[0] != '\0') snprintf(advice, sizeof advice, "did you mean `%s`?", near);
    fault(b, at, advice, "unknown key `%.200s`", written);
}

/* RIDE__INPUTS__TX__PATH → inputs.tx.path. A source that the file names is found in any case. */
static void read_variable(config_builder *b, const char *variable) {
    ride_config_origin at = {RIDE_CONFIG_ENVIRONMENT, environment_name, 0, 0};
    const char *equals = strchr(variable, '='), *p = variable + strlen(environment_prefix);
    char key[CONFIG_KEY_BYTES], written[CONFIG_KEY_BYTES], source[RIDE_NAME_BYTES];
    size_t bytes = 0;
    if (equals == NULL) return;
    snprintf(written, sizeof written, "%.*s", (int)(equals - variable > 150 ? 150 : equals - variable), variable);
    for (; p < equals && bytes + 1 < sizeof key; p++) {
        bool dot = p[0] == '_' && p + 1 < equals && p[1] == '_' && bytes > 0;
        key[bytes++] = (char)(dot ? '.' : tolower((unsigned char)*p));
        p += dot;
    }
    key[bytes] = '\0';
    const config_option *option = p == equals ? config_resolve(key, source) : NULL;
    if (option == NULL) {
        unknown_key(b, at, key, written);
        return;
    }
    for (uint32_t i = 0; i < b->priv->sources_count; i++)
        if (strcasecmp(b->priv->sources[i], source) == 0) memcpy(source, b->priv->sources[i], strlen(source));
    give(b, option, source[0] != '\0' ? source : NULL, equals[1] != '\0' ? equals + 1 : NULL, false, at);
}

static void read_set(config_builder *b, const char *set) {
    ride_config_origin at = {RIDE_CONFIG_SET, set_name, 0, 0};
    const char *equals = strchr(set, '=');
    char key[CONFIG_KEY_BYTES], source[RIDE_NAME_BYTES];
    size_t bytes = (size_t)(equals - set);
    snprintf(key, sizeof key, "%.*s", (int)(bytes < sizeof key ? bytes : sizeof key - 1), set);
    const config_option *option = bytes < sizeof key ? config_resolve(key, source) : NULL;
    if (option == NULL) unknown_key(b, at, key, key);
    else give(b, option, source[0] != '\0' ? source : NULL, equals[1] != '\0' ? equals + 1 : NULL, false, at);
}

static void fill_defaults(config_builder *b) {
    for (uint32_t i = 0; i < b->priv->settings_count; i++) {
        config_setting *s = &b->priv->settings[i];
        config_fault wrong;
        if (s->value.is_set || s->option->default_text == NULL) continue;
        bool good = config_value_read(s->option, s->option->default_text, false, &s->value, &wrong);
        RIDE_ASSERT(good); /* the table's own text */
        (void)good;
        s->origin = (ride_config_origin){RIDE_CONFIG_DEFAULT, "default", 0, 0};
    }
}

static void store(const config_setting *s, void *base) {
    uint8_t *to = (uint8_t *)base + s->option->at;
    uint32_t number = (uint32_t)s->value.number;
    switch (s->option->type) {
    case CONFIG_PATH:
    case CONFIG_STREAM:
    case CONFIG_LINE:
    case CONFIG_TOPIC:
    case CONFIG_ADDRESS:
    case CONFIG_NAME: memcpy(to, &s->value.text, sizeof s->value.text); return;
    case CONFIG_BOOL: *(bool *)to = number != 0; return;
    case CONFIG_SIZE:
    case CONFIG_DURATION: memcpy(to, &s->value.number, sizeof s->value.number); return;
    default: memcpy(to, &number, sizeof number); return; /* counts, shares, decimals, words (enums) */
    }
}

static void apply(config_builder *b) {
    ride_config *c = b->config;
    for (uint32_t i = 0; i < b->priv->sources_count; i++) {
        ride_config_input *input = &c->inputs[c->inputs_count];
        *input = (ride_config_input){.source = b->priv->sources[i]};
        for (uint32_t k = 0; k < b->priv->settings_count; k++)
            if (b->priv->settings[k].source == input->source && b->priv->settings[k].value.is_set)
                store(&b->priv->settings[k], input);
        c->inputs_count += input->path != NULL || input->topic != NULL;
    }
    ride_config_raw *raw = ride_arena_new(b->priv->arena, ride_config_raw, b->priv->raws_count + 1);
    if (raw == NULL) b->no_memory = true;
    for (uint32_t i = 0; raw != NULL && i < b->priv->raws_count; i++) {
        const config_setting *s =
            config_setting_of(b->priv, config_find_option(CONFIG_RAW ".<name>"), b->priv->raws[i]);
        if (s != NULL && s->value.is_set) raw[c->kafka.raw_count++] = (ride_config_raw){s->source, s->value.text};
    }
    c->kafka.raw = raw;
    ride_reason_text *texts = ride_arena_new(b->priv->arena, ride_reason_text, b->priv->texts_count + 1);
    if (texts == NULL) b->no_memory = true;
    for (uint32_t i = 0; texts != NULL && i < b->priv->texts_count; i++) {
        const config_setting *s =
            config_setting_of(b->priv, config_find_option(CONFIG_TEXTS ".<name>"), b->priv->texts[i]);
        if (s != NULL && s->value.is_set)
            texts[c->reasons.texts_count++] = (ride_reason_text){s->source, s->value.text};
    }
    c->reasons.texts = texts;
    for (uint32_t k = 0; k < b->priv->settings_count; k++)
        if (b->priv->settings[k].source == NULL && b->priv->settings[k].value.is_set) store(&b->priv->settings[k], c);
}

static bool begin(config_builder *b, const char *path, ride_arena *arena) {
    config_private *p = b->priv;
    const char *slash = strrchr(path, '/');
    uint32_t of_inputs = 0;
    for (uint32_t i = 0; i < config_options_count; i++)
        of_inputs += config_is_below(config_options[i].key, CONFIG_INPUT);
    p->arena = arena;
    p->settings_max = config_options_count + of_inputs * RIDE_SOURCES_MAX + RIDE_CONFIG_RAW_MAX + RIDE_CONFIG_TEXTS_MAX;
    p->settings = ride_arena_new(arena, config_setting, p->settings_max);
    b->config->private_data = p;
    b->config->path = copy(b, path);
    b->folder = slash == NULL ? "" : ride_arena_text(arena, path, (size_t)(slash - path) + 1);
    b->reader.path = b->config->path;
    if (p->settings == NULL || b->config->path == NULL || b->folder == NULL) return false;
    for (uint32_t i = 0; i < config_options_count; i++)
        if (!config_is_below(config_options[i].key, CONFIG_INPUT) &&
            !config_is_below(config_options[i].key, CONFIG_RULE) && config_open_group(config_options[i].key) == NULL)
            setting_of(b, &config_options[i], NULL);
    return true;
}

static ride_status load(const char *path, const ride_yaml *yaml, const char *const *sets, uint32_t sets_count,
                        const char *const *environment, ride_config **out, ride_diagnostics *findings) {
    ride_arena *arena = NULL;
    uint32_t findings_before = findings->count;
    const ride_yaml_node *root = ride_yaml_root(yaml);
    config_builder b = {.reader = {.status = RIDE_E_CONFIG, .findings = findings}};
    if (ride_arena_create(1 << 14, 0, &arena, NULL) == RIDE_OK) {
        b.config = ride_arena_new(arena, ride_config, 1);
        b.priv = ride_arena_new(arena, config_private, 1);
    }
    if (b.config == NULL || b.priv == NULL || !begin(&b, path, arena)) {
        ride_arena_destroy(arena);
        return ride_diagnose(findings, RIDE_E_MEMORY, path, 0, 0, NULL, "no memory for the configuration");
    }
    walk(&b, root, "", NULL, "the configuration");
    for (uint32_t i = 0; environment != NULL && environment[i] != NULL; i++)
        if (strncmp(environment[i], environment_prefix, strlen(environment_prefix)) == 0)
            read_variable(&b, environment[i]);
    for (uint32_t i = 0; i < sets_count; i++) read_set(&b, sets[i]);
    fill_defaults(&b);
    config_derive(&b);
    apply(&b);
    if (root->kind == RIDE_YAML_MAPPING || ride_yaml_is_null(root)) config_check(&b);
    if (b.no_memory) ride_diagnose(findings, RIDE_E_MEMORY, path, 0, 0, NULL, "no memory for the configuration");
    if (findings->count + findings->dropped > findings_before) {
        ride_arena_destroy(arena);
        return b.no_memory ? RIDE_E_MEMORY : RIDE_E_CONFIG;
    }
    *out = b.config;
    return RIDE_OK;
}

static ride_status check_sets(const char *const *sets, uint32_t sets_count, ride_diagnostics *findings) {
    ride_status st = RIDE_OK;
    for (uint32_t i = 0; i < sets_count; i++)
        if (strchr(sets[i], '=') == NULL)
            st = ride_diagnose(findings, RIDE_E_USAGE, set_name, 0, 0, "--set scheduler.max_batch=8192",
                               "`%.200s` is no key=value", sets[i]);
    return st;
}

ride_status ride_config_load(const char *path, const char *const *sets, uint32_t sets_count,
                             const char *const *environment, ride_config **out, ride_diagnostics *findings) {
    ride_yaml_reader reader = {.path = path, .status = RIDE_E_CONFIG, .findings = findings};
    ride_yaml *yaml = NULL;
    *out = NULL;
    RIDE_TRY(check_sets(sets, sets_count, findings));
    RIDE_TRY(ride_yaml_load(&reader, &yaml));
    ride_status st = load(path, yaml, sets, sets_count, environment, out, findings);
    ride_yaml_destroy(yaml);
    return st;
}

ride_status ride_config_parse(const char *path, const char *text, size_t text_bytes, const char *const *sets,
                              uint32_t sets_count, const char *const *environment, ride_config **out,
                              ride_diagnostics *findings) {
    ride_yaml_reader reader = {.path = path, .status = RIDE_E_CONFIG, .findings = findings};
    ride_yaml *yaml = NULL;
    *out = NULL;
    RIDE_TRY(check_sets(sets, sets_count, findings));
    RIDE_TRY(ride_yaml_parse(&reader, text, text_bytes, &yaml));
    ride_status st = load(path, yaml, sets, sets_count, environment, out, findings);
    ride_yaml_destroy(yaml);
    return st;
}

void ride_config_destroy(ride_config *config) {
    if (config == NULL) return;
    ride_arena_destroy(((config_private *)config->private_data)->arena); /* the config itself lies in it */
}

const config_setting *config_setting_of(const config_private *priv, const config_option *option, const char *source) {
    for (uint32_t i = 0; i < priv->settings_count; i++) {
        const config_setting *s = &priv->settings[i];
        if (s->option != option || (s->source == NULL) != (source == NULL)) continue;
        if (source == NULL || strcmp(s->source, source) == 0) return s;
    }
    return NULL;
}

ride_config_origin ride_config_origin_of(const ride_config *config, const char *key) {
    char source[RIDE_NAME_BYTES];
    const config_option *option = config_resolve(key, source);
    const config_setting *s =
        option != NULL ? config_setting_of(config->private_data, option, source[0] != '\0' ? source : NULL) : NULL;
    if (s == NULL || s->origin.layer == RIDE_CONFIG_DEFAULT)
        return (ride_config_origin){RIDE_CONFIG_DEFAULT, "default", 0, 0};
    return s->origin;
}

const char *ride_config_word(const ride_config *config, const char *key) {
    const config_option *option = config_find_option(key);
    RIDE_ASSERT(option != NULL && option->type == CONFIG_WORD && option->unavailable == NULL);
    const config_setting *s = config_setting_of(config->private_data, option, NULL);
    return s != NULL && s->value.is_set ? option->words[s->value.number - (uint64_t)option->words_first] : NULL;
}
