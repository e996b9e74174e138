/* engine/drift_files.c: which columns two files have in common, and each of them compared. */
#include "engine/drift_files.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The next name of a list; false at its end. */
static bool next_name(const char **list, ride_text *name) {
    if (*list == NULL) return false;
    const char *comma = strchr(*list, ',');
    *name = (ride_text){*list, comma != NULL ? (size_t)(comma - *list) : strlen(*list)};
    *list = comma != NULL ? comma + 1 : NULL;
    return true;
}

static bool list_has(const char *list, const char *name) {
    ride_text item;
    while (next_name(&list, &item))
        if (ride_text_is(item, name)) return true;
    return false;
}

static ride_status no_memory(ride_error *err) {
    return ride_fail(err, RIDE_E_MEMORY, "no memory for the columns' names");
}

/* Where each name of the header is. */
static ride_status positions(const ride_drift_side *side, ride_words **out, ride_error *err) {
    RIDE_TRY(ride_words_create(out, err));
    for (uint32_t i = 0, number; i < side->names_count; i++) {
        ride_text name = {side->names[i], strlen(side->names[i])};
        RIDE_TRY(ride_words_number(*out, name, &number, err)); /* = i: no name comes twice */
    }
    return RIDE_OK;
}

/* Every name that was asked for must be compared. */
static ride_status check_names(const ride_drift_comparison *r, const char *list, const char *option, ride_error *err) {
    const ride_drift_tables *t = &r->tables;
    ride_text name;
    while (next_name(&list, &name)) {
        bool found = false;
        for (uint32_t i = 0; i < t->columns_count && !found; i++) found = ride_text_is(name, t->columns[i].name);
        if (found) continue;
        char word[128];
        const char *where = "neither file has";
        snprintf(word, sizeof word, "%.*s", (int)name.bytes, name.at);
        for (uint32_t i = 0; i < r->only_count[RIDE_DRIFT_REF]; i++)
            if (ride_text_is(name, r->only[RIDE_DRIFT_REF][i])) where = "only the reference has";
        for (uint32_t i = 0; i < r->only_count[RIDE_DRIFT_CUR]; i++)
            if (ride_text_is(name, r->only[RIDE_DRIFT_CUR][i])) where = "only the current file has";
        for (uint32_t i = 0; i < t->sides[RIDE_DRIFT_REF].names_count;
             i++) /* --categories of a column not in --columns */
            if (where[0] == 'n' && ride_text_is(name, t->sides[RIDE_DRIFT_REF].names[i]))
                where = "--columns leaves out";
        const char *near = ride_nearest(word, t->sides[RIDE_DRIFT_REF].names, t->sides[RIDE_DRIFT_REF].names_count);
        ride_fail(err, RIDE_E_USAGE, "%s: %s a column `%s`", option, where, word);
        if (near != NULL && where[1] == 'e') ride_error_advice(err, "did you mean `%.32s`?", near);
        return RIDE_E_USAGE;
    }
    return RIDE_OK;
}

static ride_status no_common(const ride_drift_comparison *r, ride_error *err) {
    char names[RIDE_DRIFT_SIDES][48];
    for (uint32_t s = 0; s < RIDE_DRIFT_SIDES; s++) {
        size_t used = 0;
        names[s][0] = '\0';
        for (uint32_t i = 0; i < r->only_count[s] && used < sizeof names[s]; i++)
            used += (size_t)snprintf(names[s] + used, sizeof names[s] - used, "%s%s", i > 0 ? "," : "", r->only[s][i]);
    }
    ride_fail(err, RIDE_E_DATA, "no column in common: the reference has %s, the current file %s", names[0], names[1]);
    ride_error_advice(err, "the first lines must be headers");
    return RIDE_E_DATA;
}

static ride_status choose(ride_drift_comparison *r, const ride_drift_files_options *o, ride_error *err) {
    ride_drift_tables *t = &r->tables;
    ride_drift_side *ref = &t->sides[RIDE_DRIFT_REF], *cur = &t->sides[RIDE_DRIFT_CUR];
    ride_words *others = NULL;
    bool *is_common = calloc(cur->names_count, sizeof *is_common);
    t->columns = calloc(ref->names_count, sizeof *t->columns);
    r->only[RIDE_DRIFT_REF] = ride_arena_new(t->arena, const char *, ref->names_count);
    r->only[RIDE_DRIFT_CUR] = ride_arena_new(t->arena, const char *, cur->names_count);
    r->left_out = ride_arena_new(t->arena, const char *, ref->names_count);
    ride_status st = is_common != NULL && t->columns != NULL && r->only[RIDE_DRIFT_REF] != NULL &&
                             r->only[RIDE_DRIFT_CUR] != NULL && r->left_out != NULL
                         ? positions(cur, &others, err)
                         : no_memory(err);
    bool any_common = false;
    for (uint32_t i = 0, at; st == RIDE_OK && i < ref->names_count; i++) {
        const char *name = ref->names[i];
        st = ride_words_number(others, (ride_text){name, strlen(name)}, &at, err);
        if (st == RIDE_OK && at >= cur->names_count) r->only[RIDE_DRIFT_REF][r->only_count[RIDE_DRIFT_REF]++] = name;
        if (st != RIDE_OK || at >= cur->names_count) continue;
        is_common[at] = any_common = true;
        bool is_category = list_has(o->categories, name);
        if (o->columns != NULL && !list_has(o->columns, name)) continue;
        ride_drift_column *column = &t->columns[t->columns_count++];
        *column = (ride_drift_column){.name = name, .is_asked = o->columns != NULL || is_category, .position = {i, at}};
        if (is_category) st = ride_words_create(&column->words, err);
    }
    for (uint32_t i = 0; st == RIDE_OK && i < cur->names_count; i++)
        if (!is_common[i]) r->only[RIDE_DRIFT_CUR][r->only_count[RIDE_DRIFT_CUR]++] = cur->names[i];
    ride_words_destroy(others);
    free(is_common);
    if (st == RIDE_OK && !any_common) st = no_common(r, err);
    if (st == RIDE_OK) st = check_names(r, o->columns, "--columns", err);
    return st == RIDE_OK ? check_names(r, o->categories, "--categories", err) : st;
}

/* Keeps the values whose shares differ most, greatest first: an insertion into a short list. */
static void show(ride_drift_feature *f, ride_drift_value value) {
    const double n_ref = (double)f->drift.n_ref, n_cur = (double)f->drift.n_cur;
    double gap = fabs((double)value.ref / n_ref - (double)value.cur / n_cur);
    uint32_t at = f->shown_count;
    for (; at > 0; at--) {
        const ride_drift_value *other = &f->shown[at - 1];
        if (fabs((double)other->ref / n_ref - (double)other->cur / n_cur) >= gap) break;
        if (at < RIDE_DRIFT_SHOWN) f->shown[at] = *other;
    }
    if (at == RIDE_DRIFT_SHOWN) return;
    f->shown[at] = value;
    if (f->shown_count < RIDE_DRIFT_SHOWN) f->shown_count++;
}

static ride_status show_values(ride_drift_comparison *r, const ride_drift_column *column, ride_drift_feature *f,
                               ride_error *err) {
    f->values_count = ride_words_count(column->words);
    if (f->drift.n_ref == 0 || f->drift.n_cur == 0) return RIDE_OK;
    uint64_t *counts[RIDE_DRIFT_SIDES];
    for (uint32_t s = 0; s < RIDE_DRIFT_SIDES; s++) counts[s] = calloc(f->values_count, sizeof **counts);
    ride_status st = counts[0] != NULL && counts[1] != NULL ? RIDE_OK : no_memory(err);
    for (uint32_t s = 0; st == RIDE_OK && s < RIDE_DRIFT_SIDES; s++)
        for (uint64_t row = 0; row < r->rows[s]; row++)
            if (!isnan(column->values[s][row])) counts[s][(uint32_t)column->values[s][row]]++;
    for (uint32_t i = 0; st == RIDE_OK && i < f->values_count; i++)
        show(f, (ride_drift_value){.word = i, .ref = counts[0][i], .cur = counts[1][i]});
    for (uint32_t i = 0; st == RIDE_OK && i < f->shown_count; i++) {
        ride_text text = ride_words_text(column->words, f->shown[i].word);
        f->shown[i].text = ride_arena_text(r->tables.arena, text.at, text.bytes);
        if (f->shown[i].text == NULL) st = no_memory(err);
    }
    free(counts[0]);
    free(counts[1]);
    return st;
}

static int by_psi(const void *left, const void *right) {
    const ride_drift_feature *a = left, *b = right;
    if (isnan(a->drift.psi) != isnan(b->drift.psi)) return isnan(a->drift.psi) ? 1 : -1;
    if (a->drift.psi != b->drift.psi && !isnan(a->drift.psi)) return a->drift.psi < b->drift.psi ? 1 : -1;
    return strcmp(a->name, b->name);
}

ride_status ride_drift_files(const ride_drift_files_options *o, ride_drift_comparison *r, ride_error *err) {
    memset(r, 0, sizeof *r);
    ride_drift_tables *t = &r->tables;
    t->progress = o->progress;
    t->progress_context = o->progress_context;
    const char *const paths[RIDE_DRIFT_SIDES] = {o->reference, o->current};
    RIDE_TRY(ride_drift_tables_open(t, paths, err));
    RIDE_TRY(choose(r, o, err));
    RIDE_TRY(ride_drift_tables_read(t, err));
    r->features = calloc(t->columns_count, sizeof *r->features);
    if (r->features == NULL) return no_memory(err);
    for (uint32_t s = 0; s < RIDE_DRIFT_SIDES; s++) r->rows[s] = t->sides[s].rows_count;
    for (uint32_t i = 0; i < t->columns_count; i++) {
        ride_drift_column *column = &t->columns[i];
        if (o->progress != NULL) o->progress(o->progress_context, column->name, i, t->columns_count);
        if (column->is_left_out) {
            r->left_out[r->left_out_count++] = column->name;
            continue;
        }
        ride_drift_feature *f = &r->features[r->features_count++];
        f->name = column->name;
        f->is_category = column->words != NULL;
        RIDE_TRY(ride_drift_from_samples(column->values[0], r->rows[0], column->values[1], r->rows[1], f->is_category,
                                         &f->drift, err));
        if (f->is_category) RIDE_TRY(show_values(r, column, f, err));
        for (uint32_t s = 0; s < RIDE_DRIFT_SIDES; s++) { /* the memory goes with the column */
            free(column->values[s]);
            column->values[s] = NULL;
        }
    }
    qsort(r->features, r->features_count, sizeof *r->features, by_psi);
    return RIDE_OK;
}

void ride_drift_comparison_destroy(ride_drift_comparison *r) {
    ride_drift_tables_close(&r->tables);
    free(r->features);
    memset(r, 0, sizeof *r);
}
