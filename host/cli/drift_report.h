/* cli/drift_report.h: a drift report for people and for machines. */
#ifndef RIDE_CLI_DRIFT_REPORT_H
#define RIDE_CLI_DRIFT_REPORT_H
#include "engine/drift_files.h"

#include <stdio.h>

/* The table on standard output, in colour on a terminal unless NO_COLOR is set. */
void cli_drift_table(const ride_drift_comparison *report);
/* Columns that were not compared, or have no values, on standard error. */
void cli_drift_notes(const ride_drift_comparison *report);
/* One JSON object, as docs/drift.md says. */
void cli_drift_json(const ride_drift_comparison *report, const ride_drift_files_options *options, FILE *to);

#endif
