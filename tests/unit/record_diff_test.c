/* The field in which two records differ, whatever the second one is. */
#include "engine/record_diff.h"

#include <criterion/criterion.h>
#include <string.h>

static record_diff diff;

static void find(ride_format format, const char *a, const char *b) {
    record_diff_find(format, "id\0note\0amount\0", 3, a, (uint32_t)strlen(a), b, (uint32_t)strlen(b), &diff);
}

Test(record_diff, of_csv_the_cell_is_named) {
    find(RIDE_FORMAT_CSV, "1,\"a,b\",3.5", "1,\"a,b\",3.6");
    cr_assert(strcmp(diff.field, "amount") == 0 && strcmp(diff.a, "3.5") == 0 && strcmp(diff.b, "3.6") == 0);
    find(RIDE_FORMAT_CSV, "1,\"a,c\",3.5", "1,\"a,b\",3.5");
    cr_assert_str_eq(diff.field, "note");
    find(RIDE_FORMAT_CSV, "1,x", "1,x,3");
    cr_assert(strcmp(diff.field, "amount") == 0 && strcmp(diff.a, "nothing") == 0 && strcmp(diff.b, "3") == 0);
    find(RIDE_FORMAT_CSV, "1,x,3,4", "1,x,3");
    cr_assert(strcmp(diff.field, "column 4") == 0 && strcmp(diff.b, "nothing") == 0);
    find(RIDE_FORMAT_CSV, "1,x,\"3", "1,x,3");
    cr_assert_str_eq(diff.field, "amount");
}

Test(record_diff, of_json_the_member_is_named) {
    find(RIDE_FORMAT_NDJSON, "{\"id\":1,\"note\":\"a\\\",b\",\"amount\":3.5}",
         "{\"id\":1,\"note\":\"a\\\",b\",\"amount\":null}");
    cr_assert(strcmp(diff.field, "amount") == 0 && strcmp(diff.a, "3.5") == 0 && strcmp(diff.b, "null") == 0);
    find(RIDE_FORMAT_NDJSON, "{\"id\":1}", "{\"id\":1,\"amount\":2}");
    cr_assert(strcmp(diff.field, "amount") == 0 && strcmp(diff.a, "nothing") == 0 && strcmp(diff.b, "2") == 0);
    find(RIDE_FORMAT_NDJSON, "{\"id\":1,\"x\":2}", "{\"id\":1,\"amount\":2}");
    cr_assert(strcmp(diff.field, "amount") == 0 && strcmp(diff.a, "nothing") == 0);
}

Test(record_diff, of_json_a_member_may_be_a_list) {
    find(RIDE_FORMAT_NDJSON, "{\"id\":1,\"reasons\":[{\"input\":\"a]\",\"share\":1},{\"input\":\"b\"}],\"amount\":3}",
         "{\"id\":1,\"reasons\":[{\"input\":\"a]\",\"share\":1},{\"input\":\"b\"}],\"amount\":4}");
    cr_assert(strcmp(diff.field, "amount") == 0 && strcmp(diff.a, "3") == 0 && strcmp(diff.b, "4") == 0);
    find(RIDE_FORMAT_NDJSON, "{\"reasons\":[{\"input\":\"a\"}],\"amount\":3}", "{\"reasons\":[],\"amount\":3}");
    cr_assert(strcmp(diff.field, "reasons") == 0 && strcmp(diff.b, "[]") == 0);
    cr_assert_str_eq(diff.a, "[{\"input\":\"a\"}]");
    const char *at = "{\"a\":{\"b\":[1,{}]},\"c\":2}", *end = at + strlen(at);
    record_member member;
    cr_assert(record_member_next(&at, end, &member) && member.value_bytes == strlen("{\"b\":[1,{}]}"));
    cr_assert(record_member_next(&at, end, &member) && member.name[0] == 'c' && member.value_bytes == 1);
    cr_assert(!record_member_next(&at, end, &member));
}

Test(record_diff, text_that_is_no_record_has_a_place_at_least) {
    static const char *const texts[] = {"",        "{",        "}{",         "\"", "{\"", "{\"id",
                                        "{\"id\"", "{\"id\":", "{\"id\":\"", "\\", ",,,", "{\"id\":1\\"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        for (int format = RIDE_FORMAT_CSV; format <= RIDE_FORMAT_BINARY; format++) {
            find((ride_format)format, texts[i], "{\"id\":1}");
            cr_assert_str_neq(diff.field, "", "%s", texts[i]);
            find((ride_format)format, "{\"id\":1}", texts[i]);
            cr_assert_str_neq(diff.field, "", "%s", texts[i]);
        }
    find(RIDE_FORMAT_BINARY, "abc", "abd");
    cr_assert(strcmp(diff.field, "byte 2") == 0 && strcmp(diff.a, "0x63") == 0 && strcmp(diff.b, "0x64") == 0);
}
