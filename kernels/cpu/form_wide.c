/* kernels/cpu/form_wide.c: int64 words: time in microseconds, sums in 64 bits, squares in two words. */
#include "kernels/cpu/entity.h"

#include <stdlib.h>
#include <string.h>

#define WORD               int64_t
#define UWORD              uint64_t
#define WORD_END           INT64_MAX
#define WORD_NONE          INT64_MIN
#define WORD_IS_LINEAR     0 /* the subtraction must stop at the end of the range */
#define OFFSET_TO_WORD(us) (us)
#define FORM_SHIFT_0       3
#define FORM_SHIFT_1       2
#define FORM_SHIFT_2       1
#define FORM_TABLE         ride_cpu_form_wide

static inline WORD time_to_word(int64_t us) { return us == INT64_MAX ? INT64_MAX - 1 : us; }
static inline int64_t word_to_time(WORD word) { return word; }

#include "kernels/cpu/form_body.h"
