/* base/log_repeats.h: the part of the log that keeps one message from filling the disk. */
#ifndef RIDE_BASE_LOG_REPEATS_H
#define RIDE_BASE_LOG_REPEATS_H
#include "base/log.h"

/* Is there room for one more line of this message? When so, *held is how many of it were held back and not told yet. No allocation, no lock; any
 * thread. lines_max > 0. Of over a hundred messages at once some may cost each other their limit, never a count. */
bool ride_log_repeats_admit(ride_log_level level, const char *message, uint64_t now_ns, uint32_t lines_max,
                            uint64_t window_ns, uint64_t *held);
/* What was held back and not told, of all messages; told now. */
uint64_t ride_log_repeats_take(void);
uint64_t ride_log_repeats_total(void);

#endif
