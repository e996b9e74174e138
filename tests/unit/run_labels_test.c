/* Several inputs of the one source of labels: a run over them gives the bytes of a run over one that holds them all. */
#include "../support/run_case.h"
#include "../support/steady_stream.h"

#include <criterion/criterion.h>

enum { EVENTS = 4000 };

static FILE *begin_file(const char *path, const char *header) {
    FILE *to = fopen(path, "w");
    cr_assert_not_null(to);
    fputs(header, to);
    return to;
}

static char *run_of(run_case *c, const ride_input_option *inputs, uint32_t count, size_t *bytes) {
    c->options.inputs = inputs;
    c->options.inputs_count = count;
    cr_assert_eq(run_case_run(c), RIDE_OK, "%s", c->err.what);
    cr_assert_gt(c->summary.labels, EVENTS / 40);
    return run_case_file(c->output, bytes);
}

Test(run_labels, two_files_of_labels_are_as_one) {
    static run_case c;
    static const char *const names[] = {"events.csv", "all.csv", "even.csv", "odd.csv"};
    static const char event_head[] = "id,ts,card,shop,amount,kind,fraud\n", label_head[] = "id,ts,fraud\n";
    char spec[128], paths[4][128], text[STEADY_EVENT_BYTES];
    FILE *files[4];
    uint32_t card = 0;
    size_t bytes[2] = {0};
    cr_assert(run_case_begin(&c));
    snprintf(spec, sizeof spec, "%s/labels.yaml", c.folder);
    cr_assert(steady_spec_write(spec, "csv", true, true));
    for (int i = 0; i < 4; i++) {
        snprintf(paths[i], sizeof paths[i], "%s/%s", c.folder, names[i]);
        files[i] = begin_file(paths[i], i == 0 ? event_head : label_head);
    }
    for (uint32_t i = 0; i < EVENTS; i++) {
        steady_event(i, false, text, &card);
        fprintf(files[0], "%s\n", text);
        if (i % 20 != 0) continue;
        steady_label(i, EVENTS, false, text);
        fprintf(files[1], "%s\n", text);
        fprintf(files[i % 40 == 0 ? 2 : 3], "%s\n", text);
    }
    for (int i = 0; i < 4; i++) fclose(files[i]);
    c.options.spec_path = spec;
    c.options.model_path = NULL;
    c.options.rules = steady_rules;
    c.options.rules_count = sizeof steady_rules / sizeof *steady_rules;
    const ride_input_option one[] = {{.name = "tx", .path = paths[0]}, {.name = "backs", .path = paths[1]}};
    const ride_input_option two[] = {{.name = "tx", .path = paths[0]},
                                     {.name = "backs", .path = paths[2]},
                                     {.name = "backs", .path = paths[3]}};
    char *a = run_of(&c, one, 2, &bytes[0]), *b = run_of(&c, two, 3, &bytes[1]);
    cr_assert(bytes[0] == bytes[1] && memcmp(a, b, bytes[0]) == 0);
    free(a);
    free(b);
    run_case_end(&c);
}
