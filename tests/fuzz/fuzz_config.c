/* Any bytes as a configuration: refused with findings, or accepted, and then what `show` prints loads again to the same.
 * A line that begins with `#set ` is a --set text, one with `#env ` a variable of the environment; both are comments of YAML. */
#include "base/assert.h"
#include "config/config.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXTS_MAX = 16 };

/* The texts of the lines with that mark, copied; how many. */
static uint32_t marked(const char *text, const char *mark, char **out) {
    uint32_t count = 0;
    for (const char *line = text; line != NULL && count < TEXTS_MAX; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, mark, strlen(mark)) == 0)
            out[count++] = strndup(line + strlen(mark), strcspn(line + strlen(mark), "\n"));
    }
    return count;
}

static void show(const ride_config *config) {
    char *shown = NULL, *again = NULL, *origins = NULL;
    ride_error err;
    ride_config *second = NULL;
    ride_diagnostics findings;
    ride_diagnostics_init(&findings);
    RIDE_ASSERT(ride_config_show(config, true, &origins, &err) == RIDE_OK);
    RIDE_ASSERT(ride_config_show(config, false, &shown, &err) == RIDE_OK);
    /* in the working folder, where the paths of `show` are relative to. What is no UTF-8 came by --set: YAML cannot say it */
    ride_status st = ride_config_parse("again.yaml", shown, strlen(shown), NULL, 0, NULL, &second, &findings);
    bool unprintable = false;
    for (const char *p = shown; *p != '\0'; p++) unprintable = unprintable || (unsigned char)*p >= 0x80;
    unprintable = unprintable || strstr(shown, "given, not shown") != NULL; /* a secret */
    RIDE_ASSERT(st == RIDE_OK || unprintable);
    if (st == RIDE_OK) {
        RIDE_ASSERT(ride_config_show(second, false, &again, &err) == RIDE_OK);
        RIDE_ASSERT(strcmp(shown, again) == 0 || unprintable);
    }
    ride_config_destroy(second);
    ride_diagnostics_free(&findings);
    free(shown);
    free(again);
    free(origins);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = malloc(size + 1), *sets[TEXTS_MAX], *environment[TEXTS_MAX + 1];
    ride_diagnostics findings;
    ride_config *config = NULL;
    RIDE_ASSERT(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    uint32_t sets_count = marked(text, "#set ", sets), environment_count = marked(text, "#env ", environment);
    environment[environment_count] = NULL;
    ride_diagnostics_init(&findings);
    ride_status st = ride_config_parse("dir/fuzz.yaml", (const char *)data, size, (const char *const *)sets, sets_count,
                                       (const char *const *)environment, &config, &findings);
    RIDE_ASSERT((st == RIDE_OK) == (config != NULL));
    RIDE_ASSERT((st == RIDE_OK) == (findings.count == 0));
    if (config != NULL) {
        bool decisions = config->decisions.path != NULL || config->decisions.topic != NULL;
        RIDE_ASSERT(config->spec != NULL);
        RIDE_ASSERT(config->http.listen != NULL || (config->inputs_count > 0 && decisions));
        for (uint32_t i = 0; i < config->inputs_count; i++) {
            const ride_config_input *input = &config->inputs[i];
            RIDE_ASSERT((input->path != NULL) != (input->topic != NULL));
            RIDE_ASSERT(input->path == NULL || !ride_config_is_service(config));
            RIDE_ASSERT(input->topic == NULL || (config->kafka.brokers != NULL && input->format != 0));
        }
        RIDE_ASSERT(ride_config_reload_check(config, config, &findings) == RIDE_OK);
        RIDE_ASSERT(config->max_batch >= 1 && config->max_batch <= 1 << 20);
        for (uint32_t i = 0; i < config->rules_count; i++)
            RIDE_ASSERT(config->rules[i].line > 0 && config->rules[i].decision <= RIDE_DECISION_DECLINE);
        show(config);
    }
    for (uint32_t i = 0; i < sets_count; i++) {
        char *explained = NULL;
        if (ride_config_explain(sets[i], &explained, NULL) == RIDE_OK) free(explained);
    }
    ride_config_destroy(config);
    ride_diagnostics_free(&findings);
    for (uint32_t i = 0; i < sets_count; i++) free(sets[i]);
    for (uint32_t i = 0; i < environment_count; i++) free(environment[i]);
    free(text);
    return 0;
}
