/* Any bytes as a feature spec: refused with findings, or accepted and then a bundle that opens. */
#include "base/assert.h"
#include "features/explain.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const ride_spec *spec) {
    ride_explain_entity entities[RIDE_ENTITIES_MAX];
    ride_error err = {0};
    char *text = NULL;
    ride_status st = ride_explain_memory(spec, entities, &err); /* builds the bundle and opens it */
    RIDE_ASSERT(st == RIDE_OK || st == RIDE_E_MEMORY);
    if (ride_explain_text(spec, &text, &err) == RIDE_OK) free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ride_diagnostics findings;
    ride_spec *spec = NULL;
    ride_diagnostics_init(&findings);
    ride_status st = ride_spec_parse("fuzz.yaml", (const char *)data, size, &spec, &findings);
    RIDE_ASSERT((st == RIDE_OK) == (spec != NULL));
    RIDE_ASSERT((st == RIDE_OK) == (findings.count == 0));
    if (spec != NULL) use(spec);
    ride_spec_destroy(spec);
    ride_diagnostics_free(&findings);
    return 0;
}
