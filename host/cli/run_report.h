/* cli/run_report.h: a run as a person reads it on a terminal: the progress line, and the summary at the end. To standard error:
 * standard output may be the decisions. */
#ifndef RIDE_CLI_RUN_REPORT_H
#define RIDE_CLI_RUN_REPORT_H
#include "engine/summary.h"

enum { CLI_NUMBER_BYTES = 32 };
/* "2,004,000"; text holds CLI_NUMBER_BYTES. Returns text. */
const char *cli_grouped(uint64_t value, char *text);
/* A ride_run_options.progress: rewrites one line, five times a second at most. */
void cli_progress(void *context, const ride_run_summary *so_far);
void cli_progress_end(void);
void cli_run_report(const ride_run_summary *summary, const ride_summary_facts *facts);
/* The one line of `ride features run`. */
void cli_features_report(const ride_run_summary *summary, bool interrupted);

#endif
