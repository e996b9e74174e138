/* config/reference.c: the table as docs/CONFIGURATION.md. */
#include "config/config_internal.h"

#include <string.h>

static const char introduction[] =
    "# Configuration\n"
    "\n"
    "This page is what `ride config reference` prints; change the option table in `host/config/options.c`, not the "
    "page.\n"
    "\n"
    "A run is described by one YAML file:\n"
    "\n"
    "```yaml\n"
    "spec: features.yaml                  # short for spec: {path: features.yaml}\n"
    "model: model.json\n"
    "rules:                               # the first that holds decides; none holds: approve\n"
    "  - {id: high-score, when: \"probability >= 0.9\", decision: decline}\n"
    "  - {id: odd-amount, when: \"amount > 5000 and probability >= 0.5\", decision: review}\n"
    "inputs:\n"
    "  tx: tx.csv.zst                     # by source of the spec\n"
    "outputs:\n"
    "  decisions: {path: decisions.csv, vector: true}\n"
    "  rejects: rejects.ndjson\n"
    "backend: cpu\n"
    "scheduler: {max_batch: 8192}\n"
    "```\n"
    "\n"
    "A value comes from the last of these that gives it:\n"
    "\n"
    "1. the default below,\n"
    "2. the file,\n"
    "3. the environment: `RIDE__SCHEDULER__MAX_BATCH=8192` (a dot is `__`; a source's name in any case),\n"
    "4. `--set scheduler.max_batch=8192`, which may be given again.\n"
    "\n"
    "An empty value (`--set outputs.late.path=`) unsets, so that the default holds again; in the file `null` does. "
    "Every value is\n"
    "checked, also one that a later layer replaces, and everything wrong is told at once, each with its place: `ride "
    "config "
    "check`.\n"
    "`ride config show --origin` prints each value and where it comes from, `ride config explain KEY` one option, "
    "`ride config "
    "schema` a\n"
    "JSON Schema for editors.\n"
    "\n"
    "- Sizes have a unit: `512B`, `64KiB`, `8GiB`. Durations too: `2ms`, `30s`. Shares are of 100: `90%`. Counts are "
    "plain "
    "integers,\n"
    "  `_` may stand between digits.\n"
    "- Paths in the file are relative to the file's folder; those of the environment and of `--set` to the working "
    "folder. `-` "
    "is the\n"
    "  standard input or output.\n"
    "- In place of a mapping its main value may stand: `backend: cpu` is `backend: {name: cpu}`. The tables say "
    "which.\n"
    "- `spec.path`, one of `inputs` and `outputs.decisions` must be given. With `http.listen` a service may have no "
    "`inputs`,\n"
    "  and then no `outputs.decisions`.\n"
    "\n"
    "A run reads files and ends with them. What reads or writes a topic, or listens for HTTP, is a service; it reads "
    "no files:\n"
    "\n"
    "```yaml\n"
    "spec: features.yaml\n"
    "model: model.json\n"
    "inputs: {tx: {topic: transactions}}\n"
    "outputs: {decisions: {topic: decisions}, alerts: {topic: alerts}, rejects: {topic: rejects}, late: {topic: "
    "late}}\n"
    "kafka:\n"
    "  brokers: \"b1:9093,b2:9093\"\n"
    "  security: sasl_ssl\n"
    "  ca: ca.pem\n"
    "  sasl: {mechanism: scram-sha-512, user: ride, password_file: /run/secrets/kafka}\n"
    "http: {listen: \"127.0.0.1:8080\"}\n"
    "state: /var/lib/ride\n"
    "```\n"
    "\n"
    "A service that gets SIGHUP reads its configuration again. It takes all of the new one or nothing: what says \"may "
    "change "
    "while a run\n"
    "goes on\" below may differ, anything else is refused by name and needs a restart.\n";

static void put_cell(const char *text, FILE *to) {
    for (; *text != '\0'; text++) {
        if (*text == '|') fputc('\\', to);
        fputc(*text, to);
    }
}

static void put_rows(const char *group, FILE *to) {
    bool first = true;
    char type[256];
    for (uint32_t i = 0; i < config_options_count; i++) {
        const config_option *option = &config_options[i];
        if (!config_is_below(option->key, group) || option->unavailable != NULL) continue;
        if (first) fputs("\n| key | type | default | what |\n|---|---|---|---|\n", to);
        first = false;
        fprintf(to, "| `%s` | %s | ", option->key, config_type_text(option, type, sizeof type));
        if (option->default_text != NULL) fprintf(to, "`%s`", option->default_text);
        else fputs(option->required ? "must be given" : "none", to);
        fputs(" | ", to);
        put_cell(option->text, to);
        if (option->hot_reloadable) fputs("; may change while a run goes on", to);
        fputs(" |\n", to);
    }
}

static void put_group(const config_group *group, FILE *to) {
    const char *shown = strcmp(group->key, CONFIG_RULE) == 0 ? "rules" : group->key;
    fprintf(to, "\n## `%s`\n\n%s", shown, group->text);
    if (group->main != NULL) fprintf(to, " Main value: `%s`.", group->main);
    fputc('\n', to);
    put_rows(group->key, to);
}

static void put_unavailable(FILE *to) {
    char type[256];
    fputs("\n## Not supported yet\n\nThese names are kept. Setting one is an error that says so.\n\n"
          "| key | type | what | why not |\n|---|---|---|---|\n",
          to);
    for (uint32_t i = 0; i < config_options_count; i++) {
        const config_option *option = &config_options[i];
        if (option->unavailable == NULL) continue;
        fprintf(to, "| `%s` | %s | %s | %s |\n", option->key, config_type_text(option, type, sizeof type), option->text,
                option->unavailable);
    }
}

ride_status ride_config_reference(char **out_text, ride_error *err) {
    size_t bytes = 0;
    *out_text = NULL;
    FILE *to = open_memstream(out_text, &bytes);
    if (to == NULL) return config_text_finish(to, out_text, err);
    fputs(introduction, to);
    for (uint32_t i = 0; i < config_groups_count; i++) put_group(&config_groups[i], to);
    fputs("\nA changed option counts from the next start on, unless its row says otherwise.\n", to);
    put_unavailable(to);
    return config_text_finish(to, out_text, err);
}
