/* support/decision_table.h: lines of a decision file in CSV, by the names of its columns. */
#ifndef RIDE_TESTS_DECISION_TABLE_H
#define RIDE_TESTS_DECISION_TABLE_H
#include "tests/support/run_case.h"

#include <criterion/criterion.h>

enum { COLUMNS_MAX = 96 };

typedef struct table {
    char *text;
    char *names[COLUMNS_MAX];
    uint32_t names_count;
    char *at; /* the next line */
    char *cells[COLUMNS_MAX];
} table;

static inline uint32_t cut(char *line, char **cells) {
    uint32_t count = 0;
    while (line != NULL && count < COLUMNS_MAX) cells[count++] = strsep(&line, ",");
    return count;
}

static inline char *next_line(table *t) {
    char *line = t->at, *end = strchr(line, '\n');
    if (*line == '\0' || end == NULL) return NULL;
    *end = '\0';
    t->at = end + 1;
    return line;
}

static inline void table_open(table *t, const char *path) {
    size_t bytes;
    t->text = t->at = run_case_file(path, &bytes);
    cr_assert_not_null(t->text);
    t->names_count = cut(next_line(t), t->names);
}

static inline bool table_next(table *t) {
    char *line = next_line(t);
    if (line == NULL) return false;
    cr_assert_eq(cut(line, t->cells), t->names_count);
    return true;
}

static inline const char *cell(const table *t, const char *name) {
    for (uint32_t i = 0; i < t->names_count; i++)
        if (strcmp(t->names[i], name) == 0) return t->cells[i];
    cr_assert_fail("no column %s", name);
    return "";
}

static inline const char *reason_cell(const table *t, uint32_t k, const char *what) {
    char name[32];
    snprintf(name, sizeof name, "reason_%u%s", k + 1, what);
    return cell(t, name);
}

#endif
