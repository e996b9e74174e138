/* Choosing a backend: each way it can fail has its own words, and a name is never answered with another backend. */
#include "backend/fake.h"
#include "backend/registry.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static ride_backend_services services;
static char folder[] = "/tmp/ride_plugins_XXXXXX";
static ride_backend_report report;
static ride_error err;

static void setup(void) {
    ride_backend_services_init(&services, ride_clock_real());
    cr_assert_not_null(mkdtemp(folder));
}
static void teardown(void) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_assert_eq(system(command), 0);
}
TestSuite(registry, .init = setup, .fini = teardown);

/* Compiles a plugin from one function body. */
static void plugin(const char *name, const char *source) {
    char path[256], command[1024];
    const char *top = getenv("RIDE_SOURCE_DIR");
    if (top == NULL) top = ".";
    snprintf(path, sizeof path, "%s/%s.c", folder, name);
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    fprintf(file, "#include \"ride/backend.h\"\n#include <stddef.h>\n%s\n", source);
    fclose(file);
    snprintf(command, sizeof command, "cc -shared -fPIC -I%s -I%s/host -I%s/host/include -o %s/libride_%s.so %s", top,
             top, top, folder, name, path);
    cr_assert_eq(system(command), 0, "%s", command);
}
static ride_status choose(const char *name) {
    const ride_backend_ops *ops = (void *)1;
    ride_status st = ride_backend_select(name, folder, &services, &ops, &report, &err);
    cr_assert_eq(ops != NULL, st == RIDE_OK);
    cr_assert(st == RIDE_OK || (err.status == st && err.what[0] != '\0'));
    return st;
}
#define SAYS(text) cr_assert(strstr(err.what, text) != NULL, "said: %s", err.what)

Test(registry, a_built_in_is_taken_by_name) {
    ride_fake_set(&(ride_fake_script){.devices_count = 3});
    cr_assert_eq(choose("fake"), RIDE_OK);
    cr_assert_eq(report.candidates_count, 1);
    cr_assert(report.candidates[0].chosen && report.candidates[0].devices_count == 3);
    cr_assert_str_eq(report.candidates[0].origin, "built in");
}

Test(registry, a_named_backend_that_cannot_run_is_an_error) {
    ride_fake_set(&(ride_fake_script){.devices_count = 1, .probe_status = RIDE_E_UNAVAILABLE});
    cr_assert_eq(choose("fake"), RIDE_E_UNAVAILABLE);
    SAYS("the script says so");
    cr_assert_eq(report.candidates_count, 1); /* nothing else was tried */
    cr_assert_str_eq(report.candidates[0].why, "the script says so");
    ride_fake_set(NULL);
}

Test(registry, every_built_in_runs_here) {
    const char *const built_in[] = {"cpu", "fake", "reference"};
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(choose(built_in[i]), RIDE_OK, "%s: %s", built_in[i], err.what);
        cr_assert_str_eq(report.candidates[0].origin, "built in");
    }
}

Test(registry, auto_takes_the_cpu_and_says_why_not_cuda) {
    cr_assert_eq(choose("auto"), RIDE_OK); /* the folder has no plugin */
    cr_assert_eq(report.candidates_count, 2);
    cr_assert_str_eq(report.candidates[0].name, "cuda");
    cr_assert(!report.candidates[0].chosen && strstr(report.candidates[0].why, "libride_cuda.so") != NULL);
    cr_assert_str_eq(report.candidates[1].name, "cpu");
    cr_assert(report.candidates[1].chosen && report.candidates[1].devices_count >= 1);
}

Test(registry, auto_prefers_a_plugin_that_can_run) {
    /* A stand-in: the plugin hands on the table that the test put into the services' context. */
    static ride_backend_ops table;
    const ride_backend_ops *ops;
    ride_fake_set(NULL);
    cr_assert_eq(ride_backend_select("fake", NULL, &services, &ops, NULL, &err), RIDE_OK);
    table = *ops;
    table.name = "cuda";
    services.context = &table;
    plugin("cuda",
           "const ride_backend_ops *ride_backend_entry(uint32_t abi, const ride_backend_services *s, ride_error "
           "*e) { return (const ride_backend_ops *)s->context; }");
    cr_assert_eq(choose("auto"), RIDE_OK);
    cr_assert_eq(report.candidates_count, 1);
    cr_assert(report.candidates[0].chosen && strstr(report.candidates[0].origin, "libride_cuda.so") != NULL);
}

Test(registry, names_that_are_none_never_reach_a_path) {
    cr_assert_eq(choose("../evil"), RIDE_E_CONFIG);
    cr_assert_eq(choose(""), RIDE_E_CONFIG);
    cr_assert_eq(choose("CUDA"), RIDE_E_CONFIG);
    cr_assert_eq(choose("a_name_that_is_much_too_long_for_any_backend"), RIDE_E_CONFIG);
}

Test(registry, a_missing_plugin_says_where_it_was_looked_for) {
    cr_assert_eq(choose("nowhere"), RIDE_E_UNAVAILABLE);
    SAYS("libride_nowhere.so");
    cr_assert(strstr(err.advice, "backend.path") != NULL);
}

Test(registry, a_plugin_that_is_cut_short_is_told_not_mapped) {
    static char bytes[1 << 20];
    char path[256];
    plugin("cut",
           "static const char ballast[20000] = \"x\";\nconst char *ride_backend_entry(void) { return ballast; }");
    snprintf(path, sizeof path, "%s/libride_cut.so", folder);
    FILE *file = fopen(path, "rb");
    size_t whole = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    cr_assert(whole > 20000 && whole < sizeof bytes);
    for (size_t kept = 0; kept < whole; kept = kept < 200 ? kept + 1 : kept + 997) {
        file = fopen(path, "wb");
        cr_assert_eq(fwrite(bytes, 1, kept, file), kept);
        fclose(file);
        cr_assert_eq(choose("cut"), RIDE_E_UNAVAILABLE, "%zu bytes", kept);
        SAYS(kept < 64 ? "it is not a shared library" : "it is cut short");
    }
}

Test(registry, headers_that_name_the_impossible_are_no_library) {
    static char bytes[1 << 20];
    char path[256];
    plugin("bent", "const char *ride_backend_entry(void) { return NULL; }");
    snprintf(path, sizeof path, "%s/libride_bent.so", folder);
    FILE *file = fopen(path, "rb");
    size_t whole = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    const int places[] = {4,  32 + 7,     40 + 7,
                          54, 64 + 8 + 7, 64 + 32 + 7}; /* class, offsets of tables, sizes, first part */
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        char kept = bytes[places[i]];
        bytes[places[i]] = 127;
        file = fopen(path, "wb");
        cr_assert_eq(fwrite(bytes, 1, whole, file), whole);
        fclose(file);
        cr_assert_eq(choose("bent"), RIDE_E_UNAVAILABLE, "byte %d", places[i]);
        SAYS("it is not a shared library");
        bytes[places[i]] = kept;
    }
}

Test(registry, each_failure_of_a_plugin_has_its_own_words) {
    char path[256];
    snprintf(path, sizeof path, "%s/libride_text.so", folder);
    FILE *file = fopen(path, "w");
    fputs("not a library\n", file);
    fclose(file);
    cr_assert_eq(choose("text"), RIDE_E_UNAVAILABLE);
    SAYS("cannot be loaded");
    plugin("empty", "");
    cr_assert_eq(choose("empty"), RIDE_E_UNAVAILABLE);
    SAYS("has no ride_backend_entry");
    plugin("undefined", "void missing_thing(void);\nconst ride_backend_ops *ride_backend_entry(uint32_t abi, const "
                        "ride_backend_services *s, ride_error *e) { missing_thing(); return NULL; }");
    cr_assert_eq(choose("undefined"), RIDE_E_UNAVAILABLE);
    SAYS("missing_thing");
#define ENTRY(body)                                                                                                    \
    "#include <string.h>\nstatic ride_backend_ops t;\nconst ride_backend_ops *ride_backend_entry(uint32_t abi, "       \
    "const ride_backend_services *s, ride_error *e) {" body "}"
    plugin("refuses", ENTRY("e->status = RIDE_E_VERSION; strcpy(e->what, \"driver too old\"); return NULL;"));
    cr_assert_eq(choose("refuses"), RIDE_E_VERSION);
    SAYS("driver too old");
    plugin("silent", ENTRY("return NULL;"));
    cr_assert_eq(choose("silent"), RIDE_E_UNAVAILABLE);
    SAYS("cannot serve");
    plugin("oldabi", ENTRY("t.abi = 99; return &t;"));
    cr_assert_eq(choose("oldabi"), RIDE_E_VERSION);
    SAYS("ABI 99");
    plugin("small", ENTRY("t.abi = abi; t.struct_bytes = 8; return &t;"));
    cr_assert_eq(choose("small"), RIDE_E_VERSION);
    SAYS("8 bytes");
    plugin("other", ENTRY("t.abi = abi; t.struct_bytes = sizeof t; t.name = \"cpu\"; return &t;"));
    cr_assert_eq(choose("other"), RIDE_E_VERSION);
    SAYS("calls itself cpu");
    plugin("holes", ENTRY("t.abi = abi; t.struct_bytes = sizeof t; t.name = \"holes\"; return &t;"));
    cr_assert_eq(choose("holes"), RIDE_E_VERSION);
    SAYS("no probe");
}

/* The stand-in of above, once without each function that counts. */
Test(registry, a_backend_that_cannot_count_is_refused) {
    static ride_backend_ops table;
    const ride_backend_ops *ops;
    ride_fake_set(NULL);
    cr_assert_eq(ride_backend_select("fake", NULL, &services, &ops, NULL, &err), RIDE_OK);
    services.context = &table;
    plugin("counts", "const ride_backend_ops *ride_backend_entry(uint32_t abi, const ride_backend_services *s, "
                     "ride_error *e) { return (const ride_backend_ops *)s->context; }");
    for (int i = 0; i < 4; i++) {
        static const char *const says[] = {"no counts_create", "no counts_destroy", "no counts_take"};
        table = *ops;
        table.name = "counts";
        if (i == 0) table.counts_create = NULL;
        if (i == 1) table.counts_destroy = NULL;
        if (i == 2) table.counts_take = NULL;
        cr_assert_eq(choose("counts"), i < 3 ? RIDE_E_VERSION : RIDE_OK, "%s", err.what);
        if (i < 3) SAYS(says[i]);
    }
}
