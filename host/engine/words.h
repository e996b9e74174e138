/* engine/words.h: texts numbered in the order in which they first come: 0, 1, 2 … One thread. */
#ifndef RIDE_ENGINE_WORDS_H
#define RIDE_ENGINE_WORDS_H
#include "engine/lines.h"

typedef struct ride_words ride_words;

ride_status ride_words_create(ride_words **out, ride_error *err);
void ride_words_destroy(ride_words *words); /* NULL is fine */
/* The text's number; a text that is new is copied. */
ride_status ride_words_number(ride_words *words, ride_text text, uint32_t *out, ride_error *err);
uint32_t ride_words_count(const ride_words *words);
ride_text ride_words_text(const ride_words *words, uint32_t number); /* borrowed until the next number */

#endif
