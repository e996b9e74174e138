/* support/run_case.h: runs over the golden card-fraud stream with its model and a few rules, for tests of whole runs. */
#ifndef RIDE_TESTS_RUN_CASE_H
#define RIDE_TESTS_RUN_CASE_H
#include "base/log.h"
#include "engine/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const ride_rule_spec run_case_rules[] = {
    {.id = "high",
     .when = "probability >= 0.95",
     .decision = RIDE_DECISION_DECLINE,
     .file = "test",
     .line = 1,
     .column = 1},
    {.id = "web",
     .when = "probability < 0.95 and channel == 'ecom' and amount > 50",
     .decision = RIDE_DECISION_REVIEW,
     .file = "test",
     .line = 2,
     .column = 1},
    {.id = "burst",
     .when = "card_count_1h > 2",
     .decision = RIDE_DECISION_REVIEW,
     .file = "test",
     .line = 3,
     .column = 1},
};

typedef struct run_case {
    char folder[64]; /* a fresh one under /tmp */
    char spec[512], model[512], events[512], output[128], rejects[128], late[128], state[128];
    ride_input_option input;
    ride_run_options options;
    ride_run_summary summary;
    ride_diagnostics findings;
    ride_error err;
    volatile sig_atomic_t stop;
    uint64_t stop_after; /* events; 0 = never */
} run_case;

static inline const char *run_case_top(void) {
    const char *top = getenv("RIDE_SOURCE_DIR");
    return top != NULL ? top : ".";
}

/* A ride_run_options.progress: sets the stop flag once `stop_after` events were seen. */
static inline void run_case_stop(void *context, const ride_run_summary *so_far) {
    run_case *c = context;
    if (c->stop_after != 0 && so_far->received - so_far->resumed_events >= c->stop_after) c->stop = 1;
}

static inline int run_case_begin(run_case *c) {
    memset(c, 0, sizeof *c);
    ride_log_set_level(RIDE_LOG_ERROR);
    strcpy(c->folder, "/tmp/ride_run_XXXXXX");
    if (mkdtemp(c->folder) == NULL) return 0;
    snprintf(c->spec, sizeof c->spec, "%s/examples/card-fraud/features.yaml", run_case_top());
    snprintf(c->model, sizeof c->model, "%s/tests/golden/card-fraud/model.json", run_case_top());
    snprintf(c->events, sizeof c->events, "%s/tests/golden/card-fraud/events.csv", run_case_top());
    snprintf(c->output, sizeof c->output, "%s/decisions.csv", c->folder);
    snprintf(c->rejects, sizeof c->rejects, "%s/rejects.ndjson", c->folder);
    snprintf(c->late, sizeof c->late, "%s/late.csv", c->folder);
    snprintf(c->state, sizeof c->state, "%s/state", c->folder);
    c->input = (ride_input_option){.path = c->events};
    c->options = (ride_run_options){.spec_path = c->spec,
                                    .model_path = c->model,
                                    .rules = run_case_rules,
                                    .rules_count = sizeof run_case_rules / sizeof run_case_rules[0],
                                    .inputs = &c->input,
                                    .inputs_count = 1,
                                    .record = RIDE_RECORD_DECISION,
                                    .vector = true,
                                    .output_path = c->output,
                                    .rejects_path = c->rejects,
                                    .late_path = c->late,
                                    .stop = &c->stop,
                                    .progress = run_case_stop,
                                    .progress_context = c};
    return 1;
}

static inline ride_status run_case_run(run_case *c) {
    ride_run_summary_free(&c->summary);
    ride_diagnostics_init(&c->findings);
    c->stop = 0;
    return ride_run(&c->options, &c->summary, &c->findings, &c->err);
}

/* The whole file; the caller frees it. NULL when it cannot be read. */
static inline char *run_case_file(const char *path, size_t *bytes) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) return NULL;
    fseek(file, 0, SEEK_END);
    *bytes = (size_t)ftell(file);
    rewind(file);
    char *text = malloc(*bytes + 1);
    if (text != NULL && fread(text, 1, *bytes, file) != *bytes) *bytes = 0;
    if (text != NULL) text[*bytes] = '\0';
    fclose(file);
    return text;
}

static inline void run_case_end(run_case *c) {
    char command[128];
    ride_run_summary_free(&c->summary);
    snprintf(command, sizeof command, "rm -rf %s", c->folder);
    if (system(command) != 0) fputs("the test's folder stays\n", stderr);
}

#endif
