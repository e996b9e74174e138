/* The example's spec, the golden set's second spec and the generator's own schema are read by the spec parser, and their
 * vectors are, name by name and in order, the header that the independent reference gave. */
#include "features/spec.h"
#include "generate/generate.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *in_tree(const char *path, char *full, size_t bytes) {
    const char *top = getenv("RIDE_SOURCE_DIR");
    snprintf(full, bytes, "%s/%s", top != NULL ? top : ".", path);
    return full;
}

static void vector_is_header(const char *spec_path, const char *csv_path) {
    char full[4096], header[16384];
    ride_spec *spec = NULL;
    static ride_diagnostics findings;
    ride_diagnostics_init(&findings);
    ride_status st = ride_spec_load(in_tree(spec_path, full, sizeof full), &spec, &findings);
    cr_assert_eq(st, RIDE_OK, "%s:%u: %s", spec_path, findings.count ? findings.items[0].line : 0,
                 findings.count ? findings.items[0].message : "");
    FILE *file = fopen(in_tree(csv_path, full, sizeof full), "r");
    cr_assert_not_null(file, "%s", full);
    cr_assert_not_null(fgets(header, sizeof header, file));
    fclose(file);
    header[strcspn(header, "\n")] = 0;
    char *rest = NULL, *name = strtok_r(header, ",", &rest);
    cr_assert_str_eq(name, "tx_id");
    for (uint32_t i = 0; i < spec->vector_count; i++) {
        name = strtok_r(NULL, ",", &rest);
        cr_assert_not_null(name, "%s: the header ends before %s", csv_path, spec->vector_names[i]);
        cr_assert_str_eq(spec->vector_names[i], name);
    }
    cr_assert_null(strtok_r(NULL, ",", &rest), "%s: more columns than the vector", csv_path);
    ride_spec_destroy(spec);
    ride_diagnostics_free(&findings);
}

Test(example_spec, card_fraud_vector_is_the_golden_header) {
    vector_is_header("examples/card-fraud/features.yaml", "tests/golden/card-fraud/features.csv");
}

Test(example_spec, golden_windows_vector_is_the_golden_header) {
    vector_is_header("tests/golden/card-fraud/windows.yaml", "tests/golden/card-fraud/windows.csv");
}

Test(example_spec, the_generators_own_schema_starts_a_spec) {
    char text[4096];
    int bytes =
        snprintf(text, sizeof text,
                 "version: 1\n%sentities:\n  card: {keys: [card], horizon: 7d}\n"
                 "features:\n  - {entity: card, agg: [count], windows: [1d]}\nvector: [amount, card_count_1d]\n",
                 ride_generate_source_yaml);
    cr_assert(bytes > 0 && (size_t)bytes < sizeof text);
    ride_spec *spec = NULL;
    static ride_diagnostics findings;
    ride_diagnostics_init(&findings);
    ride_status st = ride_spec_parse("generate", text, (size_t)bytes, &spec, &findings);
    cr_assert_eq(st, RIDE_OK, "%s", findings.count ? findings.items[0].message : "");
    /* One field for each column of the text, by the same name. */
    char header[512];
    snprintf(header, sizeof header, "%s", ride_generate_csv_header);
    header[strcspn(header, "\n")] = 0;
    uint32_t field = 0;
    char *rest = NULL;
    for (char *name = strtok_r(header, ",", &rest); name != NULL; name = strtok_r(NULL, ",", &rest), field++)
        cr_assert_str_eq(spec->sources[spec->source_events].fields[field].name, name);
    cr_assert_eq(field, 12);
    ride_spec_destroy(spec);
    ride_diagnostics_free(&findings);
}
