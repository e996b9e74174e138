/* base/number.h: numbers to text and back, without locale and without allocation. Any thread.
 *
 * Writers put no terminating zero and return the bytes written; `to` has room for RIDE_NUMBER_BYTES. Readers take the whole
 * text or nothing: no blanks, no leading '+', nothing behind the number. */
#ifndef RIDE_BASE_NUMBER_H
#define RIDE_BASE_NUMBER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { RIDE_NUMBER_BYTES = 32 };

/* The shortest text that reads back to the same bits; integers below 2^53 in size as plain integers ("1000000", "-0"
 * for negative zero). What stands for NaN and infinities is the caller's choice: do not pass them. */
size_t ride_double_to_text(double value, char *to);
/* The shortest text that reads back to the same float (margins of float models). */
size_t ride_float_to_text(float value, char *to);
size_t ride_i64_to_text(int64_t value, char *to);
size_t ride_u64_to_text(uint64_t value, char *to);
/* value / 10^scale exactly, without needless zeros: (8565, 2) is "85.65", (8500, 2) is "85". scale 0 … 18. */
size_t ride_decimal_to_text(int64_t value, uint32_t scale, char *to);

/* false: not a number of that kind, or outside its range (1e999, a sign on an unsigned, inf, nan); *out is then
 * untouched. Text that is smaller than the smallest double is outside its range. */
bool ride_text_to_double(const char *text, size_t bytes, double *out);
bool ride_text_to_float(const char *text, size_t bytes, float *out); /* rounded once, not through a double */
bool ride_text_to_i64(const char *text, size_t bytes, int64_t *out);
bool ride_text_to_u64(const char *text, size_t bytes, uint64_t *out);

#ifdef __cplusplus
}
#endif
#endif
