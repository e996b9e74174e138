/* Whole runs: the record is right, the same for any batch size, and the same when a run is cut anywhere and goes on in another. */
#include "tests/support/run_case.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <math.h>
#include <sys/stat.h>

static run_case cases[2];

static void same_files(const char *a, const char *b) {
    size_t a_bytes = 0, b_bytes = 0;
    char *x = run_case_file(a, &a_bytes), *y = run_case_file(b, &b_bytes);
    cr_assert(x != NULL && y != NULL);
    if (a_bytes != b_bytes || memcmp(x, y, a_bytes) != 0) {
        size_t at = 0;
        while (at < a_bytes && at < b_bytes && x[at] == y[at]) at++;
        cr_assert_fail("%s and %s (%zu and %zu bytes) differ at byte %zu", a, b, a_bytes, b_bytes, at);
    }
    free(x);
    free(y);
}

static void same_outputs(const run_case *a, const run_case *b) {
    same_files(a->output, b->output);
    same_files(a->late, b->late);
    same_files(a->rejects, b->rejects);
}

Test(run, scores_are_the_trainers_and_ends_add_up) {
    run_case *c = &cases[0];
    cr_assert(run_case_begin(c));
    cr_assert_eq(run_case_run(c), RIDE_OK);
    ride_run_summary *s = &c->summary;
    cr_assert_eq(s->accepted, 3000);
    cr_assert_eq(s->received, s->accepted + s->duplicates + s->rejected);
    cr_assert_gt(s->duplicates, 10);
    cr_assert_eq(s->decisions[0] + s->decisions[1] + s->decisions[2], s->accepted);
    cr_assert_gt(s->rules[0], 0);
    cr_assert_gt(s->rules[1], 0);
    cr_assert_gt(s->rules[2], 0);
    cr_assert_eq(s->alerts_count, RIDE_ALERTS_MAX);
    for (uint32_t i = 1; i < s->alerts_count; i++)
        cr_assert_leq(s->alerts[i].probability, s->alerts[i - 1].probability);
    /* margins, row by row, against XGBoost's own */
    char path[512], line[4096], want[256];
    snprintf(path, sizeof path, "%s/tests/golden/card-fraud/margins.csv", run_case_top());
    FILE *scored = fopen(c->output, "r"), *golden = fopen(path, "r");
    cr_assert(scored != NULL && golden != NULL);
    cr_assert(fgets(line, sizeof line, scored) != NULL && fgets(want, sizeof want, golden) != NULL);
    cr_assert_eq(
        strncmp(line,
                "tx_id,key,event_time,margin,probability,decision,rule,end,approx,late,model_hash,spec_hash,amount,",
                98),
        0, "%s", line);
    int rows = 0, duplicates = 0;
    while (fgets(line, sizeof line, scored) != NULL) {
        char *cells[16], *at = line;
        for (int i = 0; i < 16; i++) cells[i] = strsep(&at, ",");
        if (strcmp(cells[7], "duplicate") == 0) {
            duplicates++;
            continue;
        }
        cr_assert_str_eq(cells[7], "scored");
        cr_assert(fgets(want, sizeof want, golden) != NULL);
        cr_assert_eq(strtoull(cells[0], NULL, 10), strtoull(want, NULL, 10));
        cr_assert_eq(strtof(cells[3], NULL), strtof(strchr(want, ',') + 1, NULL), "row %d: %s", rows, want);
        rows++;
    }
    cr_assert_eq(rows, 3000);
    cr_assert_eq(duplicates, (int)s->duplicates);
    fclose(scored);
    fclose(golden);
    run_case_end(c);
}

Test(run, a_duplicate_repeats_the_verdict_of_its_first_event) {
    run_case *c = &cases[0];
    cr_assert(run_case_begin(c));
    c->options.vector = false;
    cr_assert_eq(run_case_run(c), RIDE_OK);
    size_t bytes = 0;
    char *text = run_case_file(c->output, &bytes), *at = text, *line;
    static char first[4000][512];
    int checked = 0;
    strsep(&at, "\n");
    while ((line = strsep(&at, "\n")) != NULL && *line != '\0') {
        char copy[512], *cell = copy, *id, *end;
        snprintf(copy, sizeof copy, "%s", line);
        id = strsep(&cell, ",");
        char *key_end = strchr(cell, ','), *verdict = strchr(key_end + 1, ',') + 1; /* behind key and event time */
        end = strstr(verdict, ",duplicate,");
        if (end == NULL) {
            char *scored = strstr(verdict, ",scored,");
            cr_assert_not_null(scored);
            memset(scored, '#', strlen(",scored"));
            snprintf(first[atoi(id) % 4000], 512, "%s", verdict);
            continue;
        }
        /* the words differ in length: compare what is before and behind them */
        const char *was = first[atoi(id) % 4000], *mark = strstr(was, "#######");
        cr_assert_not_null(mark);
        cr_assert_eq(strncmp(was, verdict, (size_t)(mark - was)), 0, "%s | %s", was, verdict);
        cr_assert_str_eq(mark + strlen("#######"), end + strlen(",duplicate"));
        checked++;
    }
    cr_assert_eq(checked, (int)c->summary.duplicates);
    free(text);
    run_case_end(c);
}

Test(run, the_same_bytes_for_any_batch_size_and_format) {
    run_case *a = &cases[0], *b = &cases[1];
    static const ride_format formats[] = {RIDE_FORMAT_CSV, RIDE_FORMAT_NDJSON, RIDE_FORMAT_BINARY};
    static const uint32_t sizes[] = {1, 7, 256, 65536};
    for (int f = 0; f < 3; f++) {
        cr_assert(run_case_begin(a));
        a->options.format = formats[f];
        cr_assert_eq(run_case_run(a), RIDE_OK);
        for (int i = 0; i < 4; i++) {
            cr_assert(run_case_begin(b));
            b->options.format = formats[f];
            b->options.batch_rows_max = sizes[i];
            cr_assert_eq(run_case_run(b), RIDE_OK);
            same_outputs(a, b);
            for (uint32_t k = 0; k < a->summary.alerts_count; k++) {
                cr_assert_eq(a->summary.alerts[k].sequence, b->summary.alerts[k].sequence);
                cr_assert_eq(a->summary.alerts[k].features[0].value, b->summary.alerts[k].features[0].value);
            }
            run_case_end(b);
        }
        run_case_end(a);
    }
}

/* Runs until about `cut` events, then again until 2 × cut …, each time in a new run, to the end. Returns the runs. */
static int run_in_pieces(run_case *c, uint64_t cut, uint32_t batch) {
    int runs = 0;
    c->options.state_dir = c->state;
    c->options.batch_rows_max = batch;
    c->stop_after = cut;
    for (ride_status st = RIDE_INTERRUPTED; st == RIDE_INTERRUPTED; runs++) {
        st = run_case_run(c);
        cr_assert(st == RIDE_INTERRUPTED || st == RIDE_OK, "run %d: %s", runs, c->err.what);
        cr_assert_lt(runs, 400);
    }
    return runs;
}

Test(run, cut_anywhere_and_resumed_gives_the_same_bytes) {
    run_case *whole = &cases[0], *cut = &cases[1];
    static const uint64_t cuts[] = {13, 100, 1000, 2999, 5000};
    cr_assert(run_case_begin(whole));
    cr_assert_eq(run_case_run(whole), RIDE_OK);
    for (int i = 0; i < 5; i++) {
        cr_assert(run_case_begin(cut));
        int runs = run_in_pieces(cut, cuts[i], i % 2 == 0 ? 7 : 256);
        cr_assert(cuts[i] >= 3500 || runs > 1);
        same_outputs(whole, cut);
        cr_assert_eq(cut->summary.received, whole->summary.received);
        cr_assert_eq(cut->summary.duplicates, whole->summary.duplicates);
        cr_assert_eq(memcmp(cut->summary.decisions, whole->summary.decisions, sizeof whole->summary.decisions), 0);
        cr_assert_eq(memcmp(cut->summary.rules, whole->summary.rules, sizeof whole->summary.rules), 0);
        /* once more: nothing is left to read, nothing changes */
        cr_assert_eq(run_case_run(cut), RIDE_OK);
        cr_assert_eq(cut->summary.received, cut->summary.resumed_events);
        same_outputs(whole, cut);
        run_case_end(cut);
    }
    run_case_end(whole);
}

Test(run, features_resume_too_and_what_was_written_after_the_save_is_cut_off) {
    run_case *whole = &cases[0], *cut = &cases[1];
    cr_assert(run_case_begin(whole));
    whole->options.record = RIDE_RECORD_FEATURES;
    cr_assert_eq(run_case_run(whole), RIDE_OK);
    cr_assert(run_case_begin(cut));
    cut->options.record = RIDE_RECORD_FEATURES;
    cut->options.state_dir = cut->state;
    cut->options.batch_rows_max = 64;
    cut->stop_after = 640;
    cr_assert_eq(run_case_run(cut), RIDE_INTERRUPTED);
    FILE *more = fopen(cut->output, "a"); /* as a run does that is killed later */
    fputs("half a row", more);
    fclose(more);
    cut->stop_after = 0;
    cr_assert_eq(run_case_run(cut), RIDE_OK);
    same_files(whole->output, cut->output);
    run_case_end(cut);
    run_case_end(whole);
}

Test(run, a_changed_model_answers_new_events_and_duplicates_keep_the_old_verdict) {
    run_case *c = &cases[0];
    char other[512];
    cr_assert(run_case_begin(c));
    c->options.state_dir = c->state;
    c->options.vector = false;
    c->options.batch_rows_max = 50;
    c->stop_after = 1500;
    cr_assert_eq(run_case_run(c), RIDE_INTERRUPTED);
    snprintf(other, sizeof other, "%s/examples/card-fraud/model/model.json", run_case_top());
    c->options.model_path = other;
    c->options.rules_count = 1;
    c->stop_after = 0;
    cr_assert_eq(run_case_run(c), RIDE_OK, "%s", c->err.what);
    size_t bytes = 0;
    char *text = run_case_file(c->output, &bytes), *at = text, *line, hashes[2][65] = {"", ""};
    static char model_of[4000][65];
    int old_answers = 0, new_rows = 0;
    strsep(&at, "\n");
    while ((line = strsep(&at, "\n")) != NULL && *line != '\0') {
        char *cells[12], *cell = line;
        for (int i = 0; i < 12; i++) cells[i] = strsep(&cell, ",");
        if (hashes[0][0] == '\0') strcpy(hashes[0], cells[10]);
        if (strcmp(cells[10], hashes[0]) != 0) strcpy(hashes[1], cells[10]);
        char *mine = model_of[atoi(cells[0]) % 4000];
        if (strcmp(cells[7], "duplicate") == 0) {
            cr_assert_str_eq(cells[10], mine);
            old_answers += new_rows > 0 && strcmp(mine, hashes[0]) == 0;
        } else {
            strcpy(mine, cells[10]);
            new_rows += strcmp(cells[10], hashes[1]) == 0 && hashes[1][0] != '\0';
        }
    }
    cr_assert_gt(new_rows, 1000);
    free(text);
    run_case_end(c);
}

/* ---- saved states that are not whole ---- */

static int generations(const char *folder, char newest[512]) {
    DIR *list = opendir(folder);
    int count = 0;
    newest[0] = '\0';
    for (struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;) {
        char path[512];
        if (strncmp(entry->d_name, "state-", 6) != 0) continue;
        snprintf(path, sizeof path, "%s/%.100s", folder, entry->d_name);
        if (strcmp(path, newest) > 0) strcpy(newest, path);
        count++;
    }
    if (list != NULL) closedir(list);
    return count;
}

/* A case whose runs keep their state, and the first of them, stopped after about `stop_after` events. */
static void begin_saved(run_case *c, uint32_t batch, uint64_t stop_after) {
    cr_assert(run_case_begin(c));
    c->options.state_dir = c->state;
    c->options.batch_rows_max = batch;
    c->stop_after = stop_after;
    cr_assert_eq(run_case_run(c), RIDE_INTERRUPTED);
}

static void write_file(const char *path, const char *bytes, size_t count) {
    FILE *file = fopen(path, "wb");
    cr_assert_not_null(file);
    cr_assert_eq(fwrite(bytes, 1, count, file), count);
    fclose(file);
}

Test(run, alerts_are_the_decisions_that_are_not_approve) {
    run_case *c = &cases[0];
    char alerts[160];
    cr_assert(run_case_begin(c));
    snprintf(alerts, sizeof alerts, "%s/alerts.csv", c->folder);
    c->options.alerts_path = alerts;
    cr_assert_eq(run_case_run(c), RIDE_OK, "%s", c->err.what);
    size_t bytes = 0, alert_bytes = 0;
    char *all = run_case_file(c->output, &bytes), *some = run_case_file(alerts, &alert_bytes), *at = some;
    uint64_t count = 0;
    for (char *line = all; *line != '\0';) {
        char *end = strchr(line, '\n') + 1, kept = *end;
        *end = '\0';
        const bool header = line == all, duplicate = strstr(line, ",duplicate,") != NULL;
        if (header || (!duplicate && strstr(line, ",approve,") == NULL)) {
            cr_assert_eq(strncmp(at, line, (size_t)(end - line)), 0, "%s", line);
            at += end - line;
            count += !header;
        }
        *end = kept;
        line = end;
    }
    cr_assert_eq(*at, '\0', "nothing else");
    cr_assert_eq(count, c->summary.decisions[RIDE_DECISION_REVIEW] + c->summary.decisions[RIDE_DECISION_DECLINE]);
    cr_assert_gt(count, 10);
    free(all);
    free(some);
    run_case_end(c);
}

Test(run, a_damaged_generation_is_passed_over_for_the_one_before, .timeout = 120) {
    run_case *whole = &cases[0], *c = &cases[1];
    char newest[512];
    cr_assert(run_case_begin(whole));
    cr_assert_eq(run_case_run(whole), RIDE_OK);
    begin_saved(c, 100, 500);
    cr_assert_eq(run_case_run(c), RIDE_INTERRUPTED);
    cr_assert_eq(run_case_run(c), RIDE_INTERRUPTED);
    cr_assert_eq(generations(c->state, newest), 2, "two are kept");
    size_t bytes = 0;
    char *good = run_case_file(newest, &bytes);
    good[bytes / 2] ^= 1;
    write_file(newest, good, bytes);
    c->stop_after = 0;
    cr_assert_eq(run_case_run(c), RIDE_OK, "%s", c->err.what);
    same_outputs(whole, c); /* from the older state, whose output offsets are older too */
    free(good);
    run_case_end(c);
    run_case_end(whole);
}

Test(run, no_flip_and_no_cut_of_a_saved_state_is_believed, .timeout = 300) {
    run_case *c = &cases[0];
    char newest[512];
    begin_saved(c, 20, 20);
    cr_assert_eq(generations(c->state, newest), 1);
    size_t bytes = 0;
    char *good = run_case_file(newest, &bytes);
    size_t trailer = bytes - 48,
           step = bytes / 97 + 1; /* places all over the file, then each byte from the trailer on */
    for (size_t at = 0; at < bytes; at = at >= trailer ? at + 1 : at + step < trailer ? at + step : trailer) {
        good[at] ^= (char)(1 << (at % 8));
        write_file(newest, good, bytes);
        good[at] ^= (char)(1 << (at % 8));
        ride_status st = run_case_run(c);
        cr_assert(st == RIDE_E_CORRUPT || st == RIDE_E_VERSION, "byte %zu: %s", at, c->err.what);
        write_file(newest, good, at);
        st = run_case_run(c);
        cr_assert_eq(st, RIDE_E_CORRUPT, "cut at byte %zu: %s", at, c->err.what);
    }
    write_file(newest, good, bytes);
    c->stop_after = 0;
    cr_assert_eq(run_case_run(c), RIDE_OK);
    free(good);
    run_case_end(c);
}

/* ---- stops and inputs that are not as they were ---- */

/* One run whose stop is set before it begins. */
static ride_status run_stopped(run_case *c) {
    ride_run_summary_free(&c->summary);
    ride_diagnostics_init(&c->findings);
    c->stop = 1;
    return ride_run(&c->options, &c->summary, &c->findings, &c->err);
}

Test(run, a_stop_during_set_up_leaves_the_saved_state_as_good_as_it_was) {
    run_case *whole = &cases[0], *c = &cases[1];
    char fifo[128], newest[512], again[512];
    cr_assert(run_case_begin(whole));
    cr_assert_eq(run_case_run(whole), RIDE_OK);
    begin_saved(c, 100, 500);
    for (int i = 0; i < 3; i++) cr_assert_eq(run_stopped(c), RIDE_INTERRUPTED, "%s", c->err.what);
    generations(c->state, newest);
    snprintf(fifo, sizeof fifo, "%s/fifo",
             c->folder); /* a pipe that nobody writes: the stop comes while it is opened */
    cr_assert_eq(mkfifo(fifo, 0600), 0);
    c->input.path = fifo;
    for (int i = 0; i < 3; i++) cr_assert_eq(run_stopped(c), RIDE_INTERRUPTED, "%s", c->err.what);
    generations(c->state, again);
    cr_assert_str_eq(newest, again, "nothing was read, nothing is saved");
    c->input.path = c->events;
    c->stop_after = 0;
    cr_assert_eq(run_case_run(c), RIDE_OK, "%s", c->err.what);
    same_outputs(whole, c);
    run_case_end(c);
    run_case_end(whole);
}

/* Copies `bytes` bytes of the golden events (0 = all) to the case's folder, which becomes the input. */
static void own_events(run_case *c, size_t bytes, const char *more) {
    size_t all = 0;
    char *text = run_case_file(c->events, &all);
    static char path[128];
    snprintf(path, sizeof path, "%s/own.csv", c->folder);
    write_file(path, text, bytes != 0 ? bytes : all);
    if (more != NULL) {
        FILE *file = fopen(path, "a");
        cr_assert(file != NULL && fputs(more, file) >= 0);
        fclose(file);
    }
    free(text);
    c->input.path = path;
}

Test(run, an_input_of_other_content_and_a_line_that_grew_are_refused) {
    run_case *c = &cases[0];
    size_t all = 0;
    cr_assert(run_case_begin(c));
    c->options.state_dir = c->state;
    char *text = run_case_file(c->events, &all);
    size_t cut = (size_t)(strchr(text + all / 2, '\n') - text) - 6; /* within a line */
    own_events(c, cut, NULL);
    cr_assert_eq(run_case_run(c), RIDE_OK);
    cr_assert_eq(run_case_run(c), RIDE_OK, "nothing has changed");
    own_events(c, 0, NULL); /* the whole file now */
    cr_assert_eq(run_case_run(c), RIDE_E_DATA);
    cr_assert_not_null(strstr(c->err.what, "has grown since"), "%s", c->err.what);
    run_case_end(c);

    cr_assert(run_case_begin(c));
    c->options.state_dir = c->state;
    own_events(c, cut + 7, NULL); /* whole lines */
    cr_assert_eq(run_case_run(c), RIDE_OK);
    uint64_t before = c->summary.received;
    own_events(c, 0, NULL); /* appended to: goes on */
    cr_assert_eq(run_case_run(c), RIDE_OK, "%s", c->err.what);
    cr_assert_gt(c->summary.received, before + 100);
    FILE *file = fopen(c->input.path, "r+");
    fputs("id_tx", file); /* another file under the old name */
    fclose(file);
    ride_status st = run_case_run(c);
    cr_assert_eq(st, RIDE_E_DATA, "%s", c->err.what);
    free(text);
    run_case_end(c);
}

Test(run, an_output_that_is_another_file_of_the_run_is_refused_before_it_is_emptied) {
    run_case *c = &cases[0];
    cr_assert(run_case_begin(c));
    own_events(c, 0, NULL);
    size_t before = 0, after = 0;
    free(run_case_file(c->input.path, &before));
    char other[160], late[160];
    snprintf(other, sizeof other, "%s/./own.csv", c->folder);
    c->options.output_path = other;
    cr_assert_eq(run_case_run(c), RIDE_E_CONFIG);
    free(run_case_file(c->input.path, &after));
    cr_assert_eq(before, after);
    c->options.output_path = c->output;
    snprintf(late, sizeof late, "%s/./decisions.csv", c->folder);
    c->options.late_path = late;
    cr_assert_eq(run_case_run(c), RIDE_E_CONFIG);
    unlink(c->output); /* nor may the summary, which is written last, be an output that was not there before */
    c->options.late_path = NULL;
    c->options.summary_path = late;
    cr_assert_eq(run_case_run(c), RIDE_E_CONFIG);
    run_case_end(c);
}

Test(run, the_state_of_another_spec_is_refused_by_name) {
    run_case *c = &cases[0];
    cr_assert(run_case_begin(c));
    c->options.state_dir = c->state;
    cr_assert_eq(run_case_run(c), RIDE_OK);
    snprintf(c->spec, sizeof c->spec, "%s/tests/golden/card-fraud/windows.yaml", run_case_top());
    c->options.model_path = NULL;
    c->options.rules_count = 0;
    cr_assert_eq(run_case_run(c), RIDE_E_CONFIG);
    cr_assert_not_null(strstr(c->err.what, "another feature spec"));
    run_case_end(c);
}

Test(run, one_state_serves_one_run_at_a_time) {
    run_case *c = &cases[0];
    cr_assert(run_case_begin(c));
    c->options.state_dir = c->state;
    c->stop_after = 100;
    c->options.batch_rows_max = 50;
    cr_assert_eq(run_case_run(c), RIDE_INTERRUPTED);
    /* hold the lock as another process would */
    char command[512];
    snprintf(command, sizeof command, "flock -n %s true", c->state);
    cr_assert_eq(system(command), 0, "free after the run");
    run_case_end(c);
}

Test(run, a_model_whose_names_the_vector_lacks_is_refused_with_both_lists) {
    run_case *c = &cases[0];
    cr_assert(run_case_begin(c));
    snprintf(c->spec, sizeof c->spec, "%s/tests/golden/card-fraud/windows.yaml", run_case_top());
    c->options.rules_count = 0;
    cr_assert_eq(run_case_run(c), RIDE_E_MODEL);
    cr_assert_eq(c->findings.count, 1);
    cr_assert_not_null(strstr(c->findings.items[0].message, "the model wants: "));
    cr_assert_not_null(strstr(c->findings.items[0].message, "the vector has: "));
    ride_diagnostics_free(&c->findings);
    run_case_end(c);
}
