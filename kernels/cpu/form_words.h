/* kernels/cpu/form_words.h: the words of a form: int32 here (time in whole seconds since 2^31, so that it is signed and
 * covers 1970 … 2106; sums modulo 2^32), unless the includer has defined the words of another form. */
#ifndef RIDE_KERNELS_CPU_FORM_WORDS_H
#define RIDE_KERNELS_CPU_FORM_WORDS_H
#include "kernels/cpu/entity.h"

#include <stdlib.h>
#include <string.h>

#ifndef WORD
#define WORD               int32_t
#define UWORD              uint32_t
#define WORD_END           INT32_MAX
#define WORD_NONE          INT32_MIN /* a threshold that nothing has passed */
#define WORD_IS_LINEAR     1         /* offsets are below 2^28 s and times above: no overflow */
#define OFFSET_TO_WORD(us) ((int32_t)(((us) + 999999) / 1000000))
#define FORM_SHIFT_0       4
#define FORM_SHIFT_1       3
#define FORM_SHIFT_2       2
#ifndef FORM_TABLE
#define FORM_TABLE ride_cpu_form_narrow
#endif

static inline WORD time_to_word(int64_t us) {
    int64_t seconds = us >= 0 ? us / 1000000 : -1;
    if (seconds < 0) return WORD_NONE;
    if (seconds > UINT32_MAX - 1) seconds = UINT32_MAX - 1;
    return (int32_t)(seconds - (INT64_C(1) << 31));
}
static inline int64_t word_to_time(WORD word) { return ((int64_t)word + (INT64_C(1) << 31)) * 1000000; }
#endif

#endif
