/* `reasons` of a configuration: its short form, texts by any name, where they may be given, and what is told of them. */
#include "config/config_internal.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define RULE   "rules: [{id: a, when: 'amount > 1', decision: review}]\n"
#define NEEDED "spec: f.yaml\nmodel: m.json\ninputs: {tx: tx.csv}\noutputs: {decisions: d.csv}\n" RULE

static ride_diagnostics findings;

static ride_status parse(const char *text, const char *const *sets, uint32_t sets_count, ride_config **out) {
    ride_diagnostics_free(&findings);
    return ride_config_parse("run.yaml", text, strlen(text), sets, sets_count, NULL, out, &findings);
}

static ride_config *load(const char *text, const char *const *sets, uint32_t sets_count) {
    ride_config *config = NULL;
    cr_assert_eq(parse(text, sets, sets_count, &config), RIDE_OK, "%s: %s", text,
                 findings.count > 0 ? findings.items[0].message : "");
    return config;
}

static void refuse(const char *text, const char *message, const char *advice) {
    ride_config *config = NULL;
    cr_assert_eq(parse(text, NULL, 0, &config), RIDE_E_CONFIG, "accepted: %s", text);
    cr_assert_eq(findings.count, 1);
    cr_assert_not_null(strstr(findings.items[0].message, message), "%s", findings.items[0].message);
    const char *given = findings.items[0].advice;
    cr_assert_str_eq(given != NULL ? given : "", advice);
}

Test(config_reasons, defaults_and_the_short_form) {
    ride_config *c = load(NEEDED, NULL, 0);
    cr_assert(c->reasons.when == RIDE_REASONS_NONE && c->reasons.top == 3 && c->reasons.side == RIDE_REASON_RAISE);
    cr_assert(c->reasons.memory_bytes == 256 << 20 && c->reasons.texts_count == 0);
    ride_config_destroy(c);
    c = load(NEEDED "reasons: alerts\n", NULL, 0);
    cr_assert_eq(c->reasons.when, RIDE_REASONS_ALERTS);
    ride_config_destroy(c);
    const char *const set = "reasons=all";
    c = load(NEEDED "reasons: {when: alerts, top: 16, side: both, memory: 1GiB}\n", &set, 1);
    cr_assert(c->reasons.when == RIDE_REASONS_ALL && c->reasons.top == 16 && c->reasons.side == RIDE_REASON_BOTH);
    cr_assert_eq(c->reasons.memory_bytes, UINT64_C(1) << 30);
    ride_config_destroy(c);
}

Test(config_reasons, texts_keep_their_order_and_may_be_set_and_unset) {
    const char *const sets[] = {"reasons.texts.b_*=last", "reasons.texts.c.d=", "reasons.texts.a=one more"};
    ride_config *c = load(NEEDED "reasons: {when: all, texts: {a: 1, c.d: two, 'x y': \"th\\\"ree\"}}\n", sets, 3);
    const ride_reasons_options *r = &c->reasons;
    cr_assert_eq(r->texts_count, 3);
    cr_assert(strcmp(r->texts[0].pattern, "a") == 0 && strcmp(r->texts[0].text, "one more") == 0);
    cr_assert(strcmp(r->texts[1].pattern, "x y") == 0 && strcmp(r->texts[1].text, "th\"ree") == 0);
    cr_assert(strcmp(r->texts[2].pattern, "b_*") == 0 && strcmp(r->texts[2].text, "last") == 0);
    cr_assert_eq(ride_config_origin_of(c, "reasons.texts.x y").line, 6);
    cr_assert_eq(ride_config_origin_of(c, "reasons.texts.b_*").layer, RIDE_CONFIG_SET);
    char *shown = NULL, *again = NULL;
    ride_error err;
    cr_assert_eq(ride_config_show(c, false, &shown, &err), RIDE_OK);
    cr_assert_not_null(strstr(shown, "  texts:\n    a: \"one more\"\n"), "%s", shown);
    ride_config_destroy(c);
    c = load(shown, NULL, 0);
    cr_assert_eq(c->reasons.texts_count, 3);
    cr_assert_eq(ride_config_show(c, false, &again, &err), RIDE_OK);
    cr_assert_str_eq(shown, again);
    ride_config_destroy(c);
    free(shown);
    free(again);
}

Test(config_reasons, what_cannot_be_is_told) {
    refuse(NEEDED "reasons: some\n", "`reasons.when` must be none | alerts | all", "did you mean `none`?");
    refuse(NEEDED "reasons: alert\n", "`reasons.when` must be", "did you mean `alerts`?");
    refuse(NEEDED "reasons: {top: 0}\n", "`reasons.top` must lie in 1 … 16", "");
    refuse(NEEDED "reasons: {side: lower}\n", "`reasons.side` must be both | raise", "");
    refuse(NEEDED "reasons: {texts: [a]}\n", "`reasons.texts` must be a mapping", "");
    refuse(NEEDED "reasons: {texts: {a: [b]}}\n", "`reasons.texts.a` must be a value", "");
    refuse(NEEDED "reasons: {texts: {\"a\\tb\": c}}\n", "is no name or pattern of an input", "");
    refuse(NEEDED "reasons: {text: {a: b}}\n", "unknown key `text` in `reasons`", "did you mean `texts`?");
    refuse("spec: f.yaml\ninputs: {tx: tx.csv}\noutputs: {decisions: d.csv}\nreasons: all\n",
           "`reasons.when` needs `model`", "model: FILE");
    refuse("spec: f.yaml\nmodel: m\ninputs: {tx: tx.csv}\noutputs: {decisions: d.csv}\nreasons: alerts\n",
           "`reasons.when` alerts has no effect", "reasons: all");
    refuse(NEEDED "reasons: {when: all, background: -}\n", "`reasons.background` is read twice",
           "write the rows to a file");
    char text[1024], *at = text + sprintf(text, NEEDED "reasons: {when: all, texts: {a: ");
    memset(at, 'x', RIDE_REASON_TEXT_MAX);
    strcpy(at + RIDE_REASON_TEXT_MAX, "}}\n");
    ride_config_destroy(load(text, NULL, 0));
    strcpy(at + RIDE_REASON_TEXT_MAX, "x}}\n");
    refuse(text, "`reasons.texts.a` is longer than 200 bytes", "");
}

#define WANTED "reasons: {when: alerts} or {when: all}; {when: none} if they are not wanted now"

Test(config_reasons, what_has_no_effect_is_told) {
    refuse(NEEDED "reasons: {texts: {a: b}}\n", "`reasons.texts.a` has no effect: `reasons.when` is not given", WANTED);
    refuse(NEEDED "reasons: {top: 5, side: both}\n", "has no effect: `reasons.when` is not given", WANTED);
    refuse(NEEDED "reasons: {memory: 1GiB}\n", "`reasons.memory` has no effect", WANTED);
    const char *const off = "reasons=none", *const on = "reasons=all", *const top = "reasons.top=5";
    ride_config *config = NULL;
    ride_config_destroy(load(NEEDED "reasons: {when: none, top: 5}\n", NULL, 0));
    ride_config_destroy(load(NEEDED "reasons: {when: all, top: 5, texts: {a: b}}\n", &off, 1));
    ride_config_destroy(load(NEEDED "reasons: {top: 5}\n", &on, 1));
    cr_assert_eq(parse(NEEDED, &top, 1, &config), RIDE_E_CONFIG);
    cr_assert_not_null(strstr(findings.items[0].message, "`reasons.top` has no effect"));
}

/* A file's YAML is UTF-8; the command line is what it is. */
Test(config_reasons, a_text_is_utf8) {
    static const struct {
        const char *set, *said;
    } bad[] = {
        {"reasons.texts.a=caf\xe9", "`reasons.texts.a` is not UTF-8 from byte 4 on"},
        {"reasons.texts.a=\xed\xa0\x80", "`reasons.texts.a` is not UTF-8 from byte 1 on"},
        {"outputs.decisions.path=\xff.csv", "`outputs.decisions.path` is not UTF-8 from byte 1 on"},
        {"inputs.tx.path=t\xc3", "`inputs.tx.path` is not UTF-8 from byte 2 on"},
    };
    ride_config *config = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_eq(parse(NEEDED "reasons: all\n", &bad[i].set, 1, &config), RIDE_E_CONFIG, "%zu", i);
        cr_assert_not_null(strstr(findings.items[0].message, bad[i].said), "%s", findings.items[0].message);
        cr_assert_str_eq(findings.items[0].advice, "write it in UTF-8");
    }
    const char *const good = "reasons.texts.a=caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x92\xb3";
    config = load(NEEDED "reasons: all\n", &good, 1);
    cr_assert_str_eq(config->reasons.texts[0].text, "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x92\xb3");
    ride_config_destroy(config);
}

Test(config_reasons, they_need_a_restart) {
    ride_config *one = load(NEEDED "reasons: {when: alerts, texts: {a: b}}\n", NULL, 0),
                *two = load(NEEDED "reasons: {when: alerts, texts: {a: b, c: d}}\n", NULL, 0),
                *three = load(NEEDED "reasons: all\n", NULL, 0);
    cr_assert_eq(ride_config_reload_check(one, one, &findings), RIDE_OK);
    cr_assert_eq(ride_config_reload_check(one, two, &findings), RIDE_E_CONFIG);
    cr_assert_eq(findings.count, 1);
    cr_assert_not_null(strstr(findings.items[0].message, "`reasons.texts.c` cannot change"));
    ride_diagnostics_free(&findings);
    cr_assert_eq(ride_config_reload_check(one, three, &findings), RIDE_E_CONFIG);
    cr_assert_eq(findings.count, 2);
    ride_config_destroy(one);
    ride_config_destroy(two);
    ride_config_destroy(three);
}
