/* cli/compile.c: `ride compile`: spec, rules, model and profile → one bundle file, which a backend loads without YAML, JSON or trainer. */
#include "cli/cli.h"
#include "cli/config_read.h"
#include "engine/engine.h"
#include "io/sink.h"
#include "kernels/layout/bundle.h"

#include <stdio.h>

const char cli_compile_help[] =
    "usage: ride compile --config FILE [--set KEY=VALUE]… --output FILE|-\n"
    "       ride compile --spec FILE [--model FILE] --output FILE|-\n"
    "Compiles the feature spec, the rules, the model and the reference profile to one versioned, "
    "checksummed\n"
    "bundle file (kernels/layout/bundle.h).\n"
    "  --config FILE    a run's configuration: its spec, rules, model and profile\n"
    "  --spec FILE      a feature spec alone; --model FILE with a model\n"
    "  --output FILE|-  the bundle\n"
    "Examples:\n"
    "  ride compile --config examples/card-fraud/ride.yaml --output card-fraud.bundle\n"
    "  ride compile --spec examples/handbook/features.yaml --output handbook.bundle\n";

static const char *config_path, *output;
static ride_run_options run;
static cli_sets sets;
static const cli_option options[] = {
    {"--config", CLI_TEXT, &config_path},
    {"--set", CLI_SETS, &sets},
    {"--spec", CLI_TEXT, &run.spec_path},
    {"--model", CLI_TEXT, &run.model_path},
    {"--output", CLI_TEXT, &output, .required = true},
};
const cli_word cli_compile_words[] = {{"", CLI_OPTIONS(options)}, {0}};

static int compile(void) {
    static ride_diagnostics findings;
    ride_error err = {.status = RIDE_OK};
    uint8_t *image = NULL;
    uint64_t bytes = 0;
    ride_diagnostics_init(&findings);
    ride_status st = ride_compile(&run, NULL, &image, &bytes, &findings, &err);
    if (findings.count > 0) return cli_findings(&findings);
    if (st != RIDE_OK) return cli_failed("compile", &err);
    ride_sink *sink = NULL;
    st = ride_sink_open(output, NULL, &sink, &err);
    if (st == RIDE_OK) {
        ride_sink_write(sink, image, bytes);
        st = ride_sink_close(sink, &err);
    }
    ride_bundle_image_free(image);
    return st != RIDE_OK ? cli_failed("compile", &err) : 0;
}

int cli_compile(int argc, char **argv) {
    int wrong = cli_word_read("compile", &cli_compile_words[0], argc, argv);
    if (wrong != 0) return wrong;
    if ((config_path != NULL) == (run.spec_path != NULL)) return cli_usage("compile", "give --config or --spec");
    if (config_path != NULL && run.model_path != NULL)
        return cli_usage("compile", "the model is the configuration's: --set model.path=%s", run.model_path);
    if (config_path == NULL) return compile();
    ride_config *config = NULL;
    int code = cli_config_read(config_path, &sets, &config);
    if (code != 0) return code;
    run.spec_path = config->spec;
    run.model_path = config->model;
    run.model_load = cli_config_model(config);
    run.profile_path = config->drift_profile;
    run.rules = config->rules;
    run.rules_count = config->rules_count;
    code = compile();
    ride_config_destroy(config);
    return code;
}
