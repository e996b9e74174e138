/* Any bytes as what the admin listener answers `ride top`: refused, or a page that is drawn within its lines and columns, and as JSON. The
 * program's files are no part of the library: they are taken in as they are. */
#include "host/cli/top_json.c"
#include "host/cli/top_page.c"
#include "host/cli/top_text.c"
#include "host/lib/http_get.c"

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void draw(const top_page *before, const top_page *after, uint32_t lines, uint32_t columns) {
    static char text[TOP_TEXT_BYTES];
    const top_view view = {.before = before,
                           .after = after,
                           .seconds = 1,
                           .address = "a:1",
                           .now = 1764450000,
                           .lines = lines,
                           .columns = columns,
                           .colour = true};
    size_t bytes = top_text(&view, "\n", text);
    uint32_t met = 0;
    for (size_t i = 0; i < bytes; i++) {
        met += text[i] == '\n';
        RIDE_ASSERT(text[i] != '\r' && text[i] != '\t');
        if (text[i] == '\033') RIDE_ASSERT(text[i + 1] == '['); /* only our own */
    }
    RIDE_ASSERT(met <= lines && bytes < TOP_TEXT_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static top_page before, after;
    static FILE *nowhere;
    if (nowhere == NULL) nowhere = fopen("/dev/null", "w");
    exchange x = {.address = "a:1", .fd = -1, .text = malloc(size + 1), .bytes = size};
    ride_http_answer answer = {0};
    memcpy(x.text, data, size);
    x.text[size] = '\0';
    if (take_apart(&x, &answer) == RIDE_OK) {
        RIDE_ASSERT(answer.body_bytes == 0 || answer.body_bytes < size);
        top_page_read(answer.body, &after);
        draw(&before, &after, 24, 80);
        draw(&after, &before, 5, 7);
        draw(&after, &after, 200, 200);
        const top_view view = {.before = &before, .after = &after, .seconds = 1, .address = "a:1", .now = 1764450000};
        top_json(&view, nowhere);
        before = after;
        free(answer.body);
    }
    free(x.text);
    return 0;
}
