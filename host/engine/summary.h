/* engine/summary.h: a run's summary as the JSON of docs/run-summary.md. */
#ifndef RIDE_ENGINE_SUMMARY_H
#define RIDE_ENGINE_SUMMARY_H
#include "engine/engine.h"

/* What the summary itself does not know. */
typedef struct ride_summary_facts {
    const char *program;         /* "ride 0.1.0" */
    const char *config;          /* its path */
    int64_t started_us;          /* wall clock */
    const char *const *rule_ids; /* by rule */
    const ride_decision *rule_decisions;
    uint32_t rules_count;
    bool interrupted;
} ride_summary_facts;

/* Writes it ("-" = standard output); a file is replaced as a whole. RIDE_E_IO with the reason. */
ride_status ride_summary_write(const ride_run_summary *summary, const ride_summary_facts *facts, const char *path,
                               ride_error *err);
/* "approve", "review", "decline". */
const char *ride_decision_text(ride_decision decision);

#endif
