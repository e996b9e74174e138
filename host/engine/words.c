/* engine/words.c: an open-addressing table from the 128-bit hash of a text to its number; equal hashes are the same text. */
#include "engine/words.h"

#include "lib/hash.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS_FIRST = 64, TEXTS_FIRST = 4096 };

typedef struct word {
    ride_key128 hash;
    uint64_t offset; /* of its text */
    uint64_t bytes;
} word;

struct ride_words {
    word *words;     /* by number; room for slots_count / 2 */
    uint32_t *slots; /* number + 1; 0 = free */
    uint32_t count, slots_count;
    char *texts;
    uint64_t texts_bytes, texts_bytes_max;
};

static ride_status no_memory(const ride_words *words, ride_error *err) {
    return ride_fail(err, RIDE_E_MEMORY, "no memory for more than %u different texts", words->count);
}

ride_status ride_words_create(ride_words **out, ride_error *err) {
    ride_words *words = calloc(1, sizeof *words);
    if (words == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for texts");
    words->slots_count = SLOTS_FIRST;
    words->texts_bytes_max = TEXTS_FIRST;
    words->words = malloc(SLOTS_FIRST / 2 * sizeof *words->words);
    words->slots = calloc(SLOTS_FIRST, sizeof *words->slots);
    words->texts = malloc(TEXTS_FIRST);
    if (words->words == NULL || words->slots == NULL || words->texts == NULL) {
        ride_words_destroy(words);
        return ride_fail(err, RIDE_E_MEMORY, "no memory for texts");
    }
    *out = words;
    return RIDE_OK;
}

void ride_words_destroy(ride_words *words) {
    if (words == NULL) return;
    free(words->words);
    free(words->slots);
    free(words->texts);
    free(words);
}

/* The slot that holds the hash, or the free one where it belongs. */
static uint32_t *find(const ride_words *words, ride_key128 hash) {
    uint32_t at = (uint32_t)hash.lo & (words->slots_count - 1);
    for (;; at = (at + 1) & (words->slots_count - 1)) {
        uint32_t *slot = &words->slots[at];
        if (*slot == 0) return slot;
        const ride_key128 *there = &words->words[*slot - 1].hash;
        if (there->lo == hash.lo && there->hi == hash.hi) return slot;
    }
}

static ride_status grow(ride_words *words, ride_error *err) {
    if (words->slots_count > UINT32_MAX / 2) return no_memory(words, err);
    uint32_t slots_count = words->slots_count * 2;
    word *more = realloc(words->words, slots_count / 2 * sizeof *more);
    if (more == NULL) return no_memory(words, err);
    words->words = more;
    uint32_t *slots = calloc(slots_count, sizeof *slots);
    if (slots == NULL) return no_memory(words, err);
    free(words->slots);
    words->slots = slots;
    words->slots_count = slots_count;
    for (uint32_t i = 0; i < words->count; i++) *find(words, words->words[i].hash) = i + 1;
    return RIDE_OK;
}

ride_status ride_words_number(ride_words *words, ride_text text, uint32_t *out, ride_error *err) {
    ride_key128 hash = ride_hash_bytes(text.at, text.bytes);
    uint32_t *slot = find(words, hash);
    if (*slot != 0) {
        *out = *slot - 1;
        return RIDE_OK;
    }
    if (words->count == words->slots_count / 2) {
        RIDE_TRY(grow(words, err));
        slot = find(words, hash);
    }
    if (words->texts_bytes + text.bytes > words->texts_bytes_max) {
        uint64_t bytes_max = (words->texts_bytes + text.bytes) * 2;
        char *texts = realloc(words->texts, bytes_max);
        if (texts == NULL) return no_memory(words, err);
        words->texts = texts;
        words->texts_bytes_max = bytes_max;
    }
    memcpy(words->texts + words->texts_bytes, text.at, text.bytes);
    words->words[words->count] = (word){.hash = hash, .offset = words->texts_bytes, .bytes = text.bytes};
    words->texts_bytes += text.bytes;
    *out = words->count++;
    *slot = words->count;
    return RIDE_OK;
}

uint32_t ride_words_count(const ride_words *words) { return words->count; }

ride_text ride_words_text(const ride_words *words, uint32_t number) {
    const word *w = &words->words[number];
    return (ride_text){words->texts + w->offset, w->bytes};
}
