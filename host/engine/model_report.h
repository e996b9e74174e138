/* engine/model_report.h: what `ride model info` tells: what the file holds (models/info.h), and what this machine makes of it: how each part is scored and why, memory,
 * and the time that rows take here and now. */
#ifndef RIDE_ENGINE_MODEL_REPORT_H
#define RIDE_ENGINE_MODEL_REPORT_H
#include "models/info.h"

/* *out: a text that the caller frees. is_quick: the file alone. Otherwise it takes the compile, some tables for explanations, and some tens of milliseconds
 * of scoring rows that are made for it. A model that cannot be compiled is a finding. */
ride_status ride_model_report(const ride_ensemble *model, ride_info_form form, bool is_quick, char **out,
                              ride_diagnostics *findings);

#endif
