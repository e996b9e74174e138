/* Parts of serve/ that need no connection: blocks, kept answers, readiness, JSON that is written, jobs. */
#include "lib/json.h"
#include "serve/blocks.h"
#include "serve/idempotency.h"
#include "serve/job.h"
#include "serve/json_text.h"
#include "serve/ready.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* ---- blocks ---- */
Test(blocks, all_memory_comes_back_whole) {
    ride_blocks *b;
    enum { COUNT = 300, BYTES = 1 << 20 };
    static char *taken[COUNT];
    static size_t rooms[COUNT];
    uint64_t state = 1;
    cr_assert_eq(ride_blocks_create(BYTES, &b, NULL), RIDE_OK);
    for (int round = 0; round < 20000; round++) {
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
        uint32_t i = (uint32_t)(state >> 33) % COUNT, bytes = (uint32_t)(state >> 40) % 9000 + 1;
        if (taken[i] != NULL) {
            for (size_t k = 0; k < rooms[i]; k += rooms[i] - 1) cr_assert_eq((uint8_t)taken[i][k], (uint8_t)i);
            ride_blocks_give(b, taken[i]);
            taken[i] = NULL;
        } else if ((taken[i] = ride_blocks_take(b, bytes, &rooms[i])) != NULL) {
            cr_assert(rooms[i] >= bytes && rooms[i] >= RIDE_BLOCK_BYTES_MIN);
            memset(taken[i], (int)i, rooms[i]);
        }
        cr_assert(ride_blocks_used(b) <= BYTES);
    }
    for (int i = 0; i < COUNT; i++) ride_blocks_give(b, taken[i]);
    cr_assert_eq(ride_blocks_used(b), 0);
    char *all = ride_blocks_take(b, BYTES, NULL); /* one piece again */
    cr_assert_not_null(all);
    cr_assert_null(ride_blocks_take(b, 1, NULL));
    ride_blocks_give(b, all);
    ride_blocks_destroy(b);
}

Test(blocks, any_size_of_region_is_used_to_its_end) {
    for (size_t kib = 1; kib < 70; kib++) {
        ride_blocks *b;
        size_t count = 0;
        static void *taken[70];
        cr_assert_eq(ride_blocks_create(kib * 1024 + 100, &b, NULL), RIDE_OK);
        while ((taken[count] = ride_blocks_take(b, 1000, NULL)) != NULL) count++;
        cr_assert_eq(count, kib);
        cr_assert_eq(ride_blocks_used(b), ride_blocks_bytes(b));
        while (count > 0) ride_blocks_give(b, taken[--count]);
        size_t whole = 1024;
        while (whole * 2 <= kib * 1024) whole *= 2;
        cr_assert_not_null(ride_blocks_take(b, whole, NULL));
        ride_blocks_destroy(b);
    }
}

Test(blocks, a_block_that_grows_keeps_its_beginning) {
    ride_blocks *b;
    size_t room;
    cr_assert_eq(ride_blocks_create(1 << 16, &b, NULL), RIDE_OK);
    char *block = ride_blocks_take(b, 1024, &room);
    memcpy(block, "beginning", 10);
    char *larger = ride_blocks_grow(b, block, 10, 5000, &room);
    cr_assert(larger != NULL && room == 8192 && strcmp(larger, "beginning") == 0 && ride_blocks_used(b) == 8192);
    cr_assert_null(ride_blocks_grow(b, larger, 10, 1 << 16, &room));
    cr_assert(strcmp(larger, "beginning") == 0 && ride_blocks_used(b) == 8192);
    ride_blocks_destroy(b);
}

/* ---- kept answers ---- */
static ride_idempotency *table;
static ride_idempotency_result begin(const char *key, uint64_t digest, uint64_t now, uint32_t *slot, ride_kept *kept) {
    return ride_idempotency_begin(table, key, strlen(key), (ride_key128){digest, 0}, now, slot, kept);
}
static void keep(const char *key, const char *text, uint64_t now) {
    uint32_t slot;
    ride_kept kept, answer = {200, "application/json", text, strlen(text)};
    cr_assert_eq(begin(key, 1, now, &slot, &kept), RIDE_IDEMPOTENCY_NEW);
    ride_idempotency_store(table, slot, &answer, now);
}

Test(idempotency, the_same_request_gets_the_same_bytes_for_its_time) {
    uint32_t slot;
    ride_kept kept;
    cr_assert_eq(ride_idempotency_create(8, 1 << 16, 100, &table, NULL), RIDE_OK);
    keep("a", "first", 1000);
    cr_assert_eq(begin("a", 1, 1099, &slot, &kept), RIDE_IDEMPOTENCY_KEPT);
    cr_assert(kept.code == 200 && kept.bytes == 5 && memcmp(kept.text, "first", 5) == 0);
    cr_assert_eq(begin("a", 2, 1099, &slot, &kept), RIDE_IDEMPOTENCY_OTHER);
    cr_assert_eq(begin("a", 2, 1100, &slot, &kept), RIDE_IDEMPOTENCY_NEW); /* its time is over */
    cr_assert_eq(begin("a", 2, 1100, &slot, &kept), RIDE_IDEMPOTENCY_BUSY);
    cr_assert_eq(begin("a", 1, 1100, &slot, &kept), RIDE_IDEMPOTENCY_OTHER);
    ride_idempotency_forget(table, slot);
    cr_assert_eq(begin("a", 3, 1100, &slot, &kept), RIDE_IDEMPOTENCY_NEW);
    ride_idempotency_destroy(table);
}

Test(idempotency, the_oldest_go_when_slots_or_bytes_are_used_up) {
    uint32_t slot, slots[3];
    ride_kept kept;
    char key[8], text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    cr_assert_eq(ride_idempotency_create(3, 1 << 16, 1000000, &table, NULL), RIDE_OK);
    for (int i = 0; i < 5; i++) {
        snprintf(key, sizeof key, "k%d", i);
        keep(key, "text", 1);
    }
    cr_assert_eq(begin("k4", 1, 1, &slot, &kept), RIDE_IDEMPOTENCY_KEPT);
    cr_assert_eq(begin("k2", 1, 1, &slot, &kept), RIDE_IDEMPOTENCY_KEPT);
    for (int i = 0; i < 3; i++) {
        snprintf(key, sizeof key, "b%d", i);
        cr_assert_eq(begin(key, 1, 1, &slots[i], &kept), RIDE_IDEMPOTENCY_NEW);
    }
    cr_assert_eq(begin("more", 1, 1, &slot, &kept), RIDE_IDEMPOTENCY_NO_ROOM);
    for (int i = 0; i < 3; i++) ride_idempotency_forget(table, slots[i]);
    ride_idempotency_destroy(table);
    cr_assert_eq(ride_idempotency_create(64, 1 << 14, 1000000, &table, NULL), RIDE_OK); /* eight of 2 KiB */
    for (int i = 0; i < 40; i++) {
        snprintf(key, sizeof key, "k%d", i);
        keep(key, text, 1);
        cr_assert_eq(begin(key, 1, 1, &slot, &kept), RIDE_IDEMPOTENCY_KEPT);
    }
    cr_assert_eq(begin("k32", 1, 1, &slot, &kept), RIDE_IDEMPOTENCY_KEPT);
    cr_assert_eq(begin("k31", 1, 1, &slot, &kept), RIDE_IDEMPOTENCY_NEW);
    ride_idempotency_forget(table, slot);
    char longer[4096];
    memset(longer, 'y', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    keep("long", longer, 1); /* not kept: it would take the room of all */
    cr_assert_eq(begin("long", 1, 1, &slot, &kept), RIDE_IDEMPOTENCY_NEW);
    ride_idempotency_forget(table, slot);
    ride_idempotency_destroy(table);
}

/* ---- readiness ---- */
Test(ready, scores_wait_for_their_parts_only) {
    ride_ready *r;
    char why[RIDE_READY_NAME_BYTES + RIDE_READY_WHY_BYTES];
    ride_ready_part parts[RIDE_READY_PARTS_MAX];
    cr_assert_eq(ride_ready_create(NULL, &r, NULL), RIDE_OK);
    cr_assert(!ride_ready_all(r) && !ride_ready_scores(r, why));
    cr_assert_str_eq(why, "starting");
    ride_ready_add(r, "model", true, "not loaded", NULL);
    ride_ready_add(r, "tx", false, "no broker", NULL);
    cr_assert(!ride_ready_scores(r, why));
    cr_assert_str_eq(why, "model: not loaded");
    cr_assert(ride_ready_set(r, "model", true, NULL) && !ride_ready_set(r, "model", true, "said again"));
    cr_assert(ride_ready_scores(r, why) && !ride_ready_all(r));
    cr_assert(ride_ready_set(r, "tx", true, NULL) && ride_ready_all(r));
    cr_assert(ride_ready_set(r, "model", false, "replaced") && !ride_ready_all(r) && !ride_ready_scores(r, why));
    cr_assert_eq(ride_ready_parts(r, parts), 2);
    cr_assert(strcmp(parts[0].why, "replaced") == 0 && parts[1].is_ready && parts[1].why[0] == '\0');
    ride_ready_add(r, "tx", false, "again", NULL);
    cr_assert_eq(ride_ready_parts(r, parts), 2);
    for (int i = 0; i < RIDE_READY_PARTS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "p%d", i);
        ride_status st = ride_ready_add(r, name, false, "", NULL);
        cr_assert_eq(st, i < RIDE_READY_PARTS_MAX - 2 ? RIDE_OK : RIDE_E_INTERNAL);
    }
    ride_ready_destroy(r);
}

/* ---- JSON that is written ---- */
Test(json_text, strings_are_escaped_and_cut_between_characters) {
    char to[64];
    size_t n = ride_json_write_string(to, sizeof to, "a\"\\\n\x7f\xc3\xbc\xff", 8);
    cr_assert(n == 24 && memcmp(to, "\"a\\\"\\\\\\u000a\\u007f\xc3\xbc\xef\xbf\xbd\"", n) == 0);
    for (size_t room = 0; room < 12; room++) {
        n = ride_json_write_string(to, room, "\xc3\xbc\xc3\xbc\n", 5);
        cr_assert(n <= room && (room < 2 ? n == 0 : to[0] == '"' && to[n - 1] == '"'));
        cr_assert(n == 0 || ride_json_is_utf8(to, n));
    }
    cr_assert(!ride_json_is_utf8("\xc0\x80", 2) && !ride_json_is_utf8("\xed\xa0\x80", 3) &&
              !ride_json_is_utf8("\xf4\x90\x80\x80", 4));
    cr_assert(ride_json_is_utf8("\xf0\x9f\x98\x80", 4) && ride_json_is_utf8("", 0));
}

static bool count_piece(void *context, const ride_json_piece *piece) {
    (void)piece;
    ++*(uint32_t *)context;
    return true;
}

Test(json_text, errors_are_valid_in_any_room_of_64_bytes) {
    ride_json_parser *parser;
    char text[300], longer[400];
    memset(longer, '"', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    cr_assert_eq(ride_json_parser_create(4096, &parser, NULL), RIDE_OK);
    for (size_t room = 64; room < sizeof text - RIDE_JSON_PADDING; room++) {
        size_t n = ride_json_write_error(text, room, longer, "reason", longer);
        cr_assert(n <= room && n > 0);
        uint32_t members = 0;
        cr_assert_eq(ride_json_members(parser, text, n, count_piece, &members), RIDE_JSON_OK);
        cr_assert(members >= 1);
    }
    size_t n = ride_json_write_error(text, sizeof text, "what", "why", "where");
    cr_assert(n == 47 && memcmp(text, "{\"error\":\"what\",\"reason\":\"why\",\"field\":\"where\"}", n) == 0);
    ride_json_parser_destroy(parser);
}

/* ---- jobs ---- */
static ride_job *job_of(ride_blocks *blocks, uint32_t events, ride_job_form form) {
    ride_job *job = ride_job_create(blocks, events, 100);
    cr_assert_not_null(job);
    job->form = form;
    for (uint32_t i = 0; i < events; i++) ride_job_add(job, i, 1);
    ride_job_seal(job, (ride_http_request *)(void *)job); /* somebody waits */
    return job;
}
static bool answer(ride_job *job, uint32_t i, const char *text) {
    const ride_answer a = {.status = RIDE_OK, .text = text, .text_bytes = (uint32_t)strlen(text)};
    return ride_job_answer(&job->events[i], &a);
}

Test(job, answers_are_in_the_order_of_the_events) {
    ride_blocks *blocks;
    const uint32_t orders[][3] = {{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {0, 2, 1}};
    cr_assert_eq(ride_blocks_create(1 << 16, &blocks, NULL), RIDE_OK);
    for (size_t o = 0; o < sizeof orders / sizeof *orders; o++)
        for (int lines = 0; lines < 2; lines++) {
            ride_job *job = job_of(blocks, 3, lines ? RIDE_JOB_LINES : RIDE_JOB_ARRAY);
            const char *texts[] = {"0", "\"one\"", "{}"};
            for (int i = 0; i < 3; i++) cr_assert_eq(answer(job, orders[o][i], texts[orders[o][i]]), i == 2);
            size_t bytes;
            const char *text = ride_job_text(job, &bytes), *wanted = lines ? "0\n\"one\"\n{}\n" : "[0,\"one\",{}]";
            cr_assert(bytes == strlen(wanted) && memcmp(text, wanted, bytes) == 0, "%.*s", (int)bytes, text);
            ride_job_drop(job, 1);
            ride_job_drop(job, 3);
            cr_assert_eq(ride_blocks_used(blocks), 0);
        }
    ride_blocks_destroy(blocks);
}

Test(job, a_long_answer_takes_more_memory_and_none_is_ever_silent) {
    ride_blocks *blocks;
    static char longer[20000];
    memset(longer, 'x', sizeof longer - 1);
    cr_assert_eq(ride_blocks_create(1 << 16, &blocks, NULL), RIDE_OK);
    ride_job *job = job_of(blocks, 5, RIDE_JOB_LINES);
    for (uint32_t i = 0; i < 5; i++) answer(job, i, longer);
    size_t bytes, met = 0;
    const char *text = ride_job_text(job, &bytes);
    for (uint32_t i = 0; i < 5; i++) {
        size_t one;
        const char *record = ride_job_record(job, i, &one);
        cr_assert(one == sizeof longer - 1 ? record[0] == 'x' : memmem(record, one, "no memory", 9) != NULL);
        met += one == sizeof longer - 1;
    }
    cr_assert(met >= 1 && met < 5 && text != NULL && bytes > met * sizeof longer);
    ride_job_drop(job, 6);
    cr_assert_eq(ride_blocks_used(blocks), 0);
    ride_blocks_destroy(blocks);
}

Test(job, what_is_not_scored_is_an_object_that_says_so) {
    ride_blocks *blocks;
    cr_assert_eq(ride_blocks_create(1 << 16, &blocks, NULL), RIDE_OK);
    ride_job *job = job_of(blocks, 3, RIDE_JOB_ARRAY);
    const ride_answer answers[] = {{.status = RIDE_E_DATA, .reason = "below_min", .field = "amount"},
                                   {.status = RIDE_E_UNAVAILABLE},
                                   {.status = RIDE_E_INTERNAL}};
    for (uint32_t i = 0; i < 3; i++) ride_job_answer(&job->events[i], &answers[i]);
    size_t bytes;
    const char *text = ride_job_text(job, &bytes);
    static const char wanted[] =
        "[{\"error\":\"the event was rejected\",\"reason\":\"below_min\",\"field\":\"amount\"},"
        "{\"error\":\"the engine is not available\",\"reason\":\"unavailable\"},"
        "{\"error\":\"internal error\"}]";
    cr_assert(bytes == sizeof wanted - 1 && memcmp(text, wanted, bytes) == 0, "%.*s", (int)bytes, text);
    ride_job_drop(job, 4);
    ride_blocks_destroy(blocks);
}
