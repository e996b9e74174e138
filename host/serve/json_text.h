/* serve/json_text.h: pieces of JSON that the server writes itself. Never beyond the room: what does not fit is left out whole, or the
 * text within the quotes is cut between characters. Any thread. */
#ifndef RIDE_SERVE_JSON_TEXT_H
#define RIDE_SERVE_JSON_TEXT_H
#include <stdbool.h>
#include <stddef.h>

/* The string with its quotes; bytes that are not UTF-8 become U+FFFD. Returns the bytes written (0 when there is no room for
 * two quotes); cut at the last character that fits. */
size_t ride_json_write_string(char *to, size_t room, const char *text, size_t bytes);
bool ride_json_is_utf8(const char *text, size_t bytes);
/* {"error":"…","reason":"…","field":"…"}; reason and field may be NULL. 64 bytes of room are enough for something valid. */
size_t ride_json_write_error(char *to, size_t room, const char *error, const char *reason, const char *field);

#endif
