/* engine/service_infer.h: what the Open Inference endpoints tell of a spec and its model (serve/infer.h), and scores of vectors without any
 * state, in the server's thread (models/rows.h). */
#ifndef RIDE_ENGINE_SERVICE_INFER_H
#define RIDE_ENGINE_SERVICE_INFER_H
#include "engine/engine.h"
#include "serve/infer.h"

typedef struct service_infer service_infer;

/* options: spec, model and rules as for a run. name: of the model in paths, borrowed. The caller owns *out. */
ride_status service_infer_create(const ride_run_options *options, const char *name, service_infer **out,
                                 ride_diagnostics *findings, ride_error *err);
void service_infer_destroy(service_infer *infer); /* NULL is fine; after the server's stop */
const ride_infer_model *service_infer_model(const service_infer *infer);
/* The field whose value says to which other events one belongs: the first of the first entity's key; NULL: there is no entity. */
const char *service_infer_key(const service_infer *infer);
const char *service_infer_source(const service_infer *infer); /* the spec's source of events */

#endif
