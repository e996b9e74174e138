/* What lib/yaml promises: places, refusals, bounds, typed reads. And the two hashes against published values. */
#include "lib/hash.h"
#include "lib/yaml.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ride_diagnostics findings;
static ride_yaml_reader reader = {.path = "t.yaml", .status = RIDE_E_SPEC, .findings = &findings};

static ride_yaml *parse(const char *text) {
    ride_yaml *yaml = NULL;
    ride_diagnostics_free(&findings);
    cr_assert_eq(ride_yaml_parse(&reader, text, strlen(text), &yaml), RIDE_OK, "%s",
                 findings.count ? findings.items[0].message : "");
    return yaml;
}

/* The text must give exactly this finding: "line:column: message", the message as far as given. */
static void refuse(const char *text, const char *expected) {
    ride_yaml *yaml = NULL;
    char got[1200];
    ride_diagnostics_free(&findings);
    cr_assert_eq(ride_yaml_parse(&reader, text, strlen(text), &yaml), RIDE_E_SPEC, "accepted: %s", text);
    cr_assert_null(yaml);
    cr_assert_geq(findings.count, 1);
    snprintf(got, sizeof got, "%u:%u: %s", findings.items[0].line, findings.items[0].column, findings.items[0].message);
    cr_assert_eq(strncmp(got, expected, strlen(expected)), 0, "expected %s\n     got %s", expected, got);
    ride_diagnostics_free(&findings);
}

Test(yaml, every_key_and_value_has_its_place) {
    ride_yaml *yaml = parse("a: 1\nb:\n  - x\n  - 'y z'\nc: {d: 2, e: [3, 4]}\nf: |\n\n   text\n");
    const ride_yaml_node *root = ride_yaml_root(yaml);
    cr_assert_eq(root->kind, RIDE_YAML_MAPPING);
    cr_assert_eq(root->count, 4);
    const ride_yaml_node *b = ride_yaml_get(root, "b");
    cr_assert_eq(b->kind, RIDE_YAML_SEQUENCE);
    cr_assert_eq(b->count, 2);
    cr_assert_eq(b->items[1]->line, 4);
    cr_assert_eq(b->items[1]->column, 5);
    cr_assert_eq(b->items[1]->text_column, 6);
    cr_assert(b->items[1]->quoted && !b->items[0]->quoted);
    const ride_yaml_pair *e = ride_yaml_find(ride_yaml_get(root, "c"), "e");
    cr_assert_eq(e->key_line, 5);
    cr_assert_eq(e->key_column, 11);
    cr_assert_eq(e->value->items[1]->column, 18);
    const ride_yaml_node *f = ride_yaml_get(root, "f");
    cr_assert_str_eq(f->text, "\ntext\n");
    cr_assert_eq(f->text_line, 8);
    cr_assert_eq(f->text_column, 4);
    cr_assert_null(ride_yaml_get(root, "g"));
    ride_yaml_destroy(yaml);
}

Test(yaml, an_empty_text_is_null) {
    ride_yaml *yaml = parse("# nothing\n");
    cr_assert(ride_yaml_is_null(ride_yaml_root(yaml)));
    ride_yaml_destroy(yaml);
}

Test(yaml, what_could_grow_or_hide_is_refused) {
    refuse("a: &x 1\nb: *x\n", "1:4: anchors");
    refuse("b: *x\n", "1:4: aliases");
    refuse("a: !!str 1\n", "1:4: tags");
    refuse("<<: {a: 1}\n", "1:1: merge keys");
    refuse("a: 1\nb: 2\na: 3\n", "3:1: `a` is given twice (first at line 1)");
    refuse("? [a, b]\n: 1\n", "1:3: a key must be a single word");
    refuse("a: 1\n---\nb: 2\n", "2:1: a second document");
    refuse("a: \"x\\0y\"\n", "1:4: a value with a zero byte");
    refuse("a: [1, 2\n", "2:1: not YAML");
    refuse("a:\n\tb: 1\n", "2:1: not YAML");
    refuse("a: 1\nb: \xff\n", "2:4: not YAML");
}

Test(yaml, depth_and_size_are_bounded) {
    char deep[4096];
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    refuse(deep, "1:34: nested too deeply");
    size_t bytes = RIDE_YAML_TEXT_BYTES_MAX + 1;
    char *large = malloc(bytes + 1);
    memset(large, ' ', bytes);
    large[bytes] = '\0';
    refuse(large, "0:0: larger than");
    bytes = RIDE_YAML_NODES_COUNT_MAX * 2 + 10;
    for (size_t i = 0; i < bytes; i++) large[i] = i == 0 ? '[' : i % 2 == 1 ? '1' : ',';
    large[bytes] = '\0';
    refuse(large, "1:");
    free(large);
}

Test(yaml, all_findings_are_told_at_once) {
    ride_yaml *yaml = NULL;
    const char *text = "a: &x 1\nb: 1\nb: 2\nc: *x\n";
    ride_yaml_parse(&reader, text, strlen(text), &yaml);
    cr_assert_eq(findings.count, 3);
    ride_diagnostics_free(&findings);
}

Test(yaml, typed_reads) {
    ride_yaml *yaml = parse("i: 20_000_000\nn: -5\nq: '5'\nf: 2.5e3\nb: true\nw: red\nx: 0x10\ny: yes\nz:\nbig: "
                            "18446744073709551615\nhuge: 18446744073709551616\nm: -9223372036854775808\nd: nan\n");
    const ride_yaml_node *root = ride_yaml_root(yaml);
    int64_t i = 0;
    uint64_t u = 0;
    double f = 0;
    bool b = false;
    size_t w = 9;
    const char *s = NULL;
    static const char *const words[] = {"green", "red"};
#define GET(key) ride_yaml_get(root, key)
    cr_assert_eq(ride_yaml_read_i64(&reader, GET("i"), "i", 0, INT64_MAX, &i), RIDE_OK);
    cr_assert_eq(i, 20000000);
    cr_assert_eq(ride_yaml_read_i64(&reader, GET("n"), "n", -9, 9, &i), RIDE_OK);
    cr_assert_eq(i, -5);
    cr_assert_eq(ride_yaml_read_i64(&reader, GET("m"), "m", INT64_MIN, 0, &i), RIDE_OK);
    cr_assert_eq(i, INT64_MIN);
    cr_assert_eq(ride_yaml_read_u64(&reader, GET("big"), "big", 0, UINT64_MAX, &u), RIDE_OK);
    cr_assert_eq(u, UINT64_MAX);
    cr_assert_eq(ride_yaml_read_f64(&reader, GET("f"), "f", &f), RIDE_OK);
    cr_assert_eq(f, 2500.0);
    cr_assert_eq(ride_yaml_read_bool(&reader, GET("b"), "b", &b), RIDE_OK);
    cr_assert(b);
    cr_assert_eq(ride_yaml_read_word(&reader, GET("w"), "w", words, 2, &w), RIDE_OK);
    cr_assert_eq(w, 1);
    cr_assert_eq(ride_yaml_read_string(&reader, GET("q"), "q", &s), RIDE_OK);
    cr_assert_str_eq(s, "5");
    cr_assert_eq(findings.count, 0);
    cr_assert_eq(ride_yaml_read_i64(&reader, GET("q"), "q", 0, 9, &i), RIDE_E_SPEC);
    cr_assert_eq(ride_yaml_read_i64(&reader, GET("x"), "x", 0, 99, &i), RIDE_E_SPEC);
    cr_assert_eq(ride_yaml_read_i64(&reader, GET("n"), "n", 0, 9, &i), RIDE_E_SPEC);
    cr_assert_eq(ride_yaml_read_u64(&reader, GET("huge"), "huge", 0, UINT64_MAX, &u), RIDE_E_SPEC);
    cr_assert_eq(ride_yaml_read_bool(&reader, GET("y"), "y", &b), RIDE_E_SPEC);
    cr_assert_eq(ride_yaml_read_f64(&reader, GET("d"), "d", &f), RIDE_E_SPEC);
    cr_assert_eq(ride_yaml_read_string(&reader, GET("z"), "z", &s), RIDE_E_SPEC);
    cr_assert_eq(ride_yaml_read_word(&reader, GET("y"), "y", words, 2, &w), RIDE_E_SPEC);
    cr_assert_eq(findings.count, 8);
    cr_assert_str_eq(findings.items[7].message, "y must be green | red, not `yes`");
    cr_assert_eq(findings.items[7].line, 8);
    ride_diagnostics_free(&findings);
    static const char *const known[] = {"i", "n", "q", "f", "b", "w", "x", "y", "z", "big", "hugo", "m", "d"};
    cr_assert_eq(ride_yaml_check_keys(&reader, root, "the test", known, 13), RIDE_E_SPEC);
    cr_assert_eq(findings.count, 1);
    cr_assert_str_eq(findings.items[0].message, "unknown key `huge` in the test");
    cr_assert_str_eq(findings.items[0].advice, "did you mean `hugo`?");
    ride_diagnostics_free(&findings);
    ride_yaml_destroy(yaml);
}

Test(yaml, a_missing_file_is_a_finding) {
    ride_yaml *yaml = NULL;
    ride_yaml_reader r = {.path = "/nonexistent/x.yaml", .status = RIDE_E_CONFIG, .findings = &findings};
    cr_assert_eq(ride_yaml_load(&r, &yaml), RIDE_E_NO_INPUT);
    cr_assert_eq(findings.count, 1);
    ride_diagnostics_free(&findings);
}

Test(hash, keys_differ_and_repeat) {
    ride_key128 a = ride_hash_bytes("card-1", 6), b = ride_hash_bytes("card-2", 6), c = ride_hash_bytes("card-1", 6);
    cr_assert(a.lo == c.lo && a.hi == c.hi);
    cr_assert(a.lo != b.lo && a.hi != b.hi);
    ride_key128 nothing = ride_hash_bytes("", 0);
    cr_assert(nothing.lo != 0 || nothing.hi != 0);
}
