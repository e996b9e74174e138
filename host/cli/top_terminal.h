/* cli/top_terminal.h: the screen of `ride top`: the alternate one, keys one by one, and everything as it was afterwards. */
#ifndef RIDE_CLI_TOP_TERMINAL_H
#define RIDE_CLI_TOP_TERMINAL_H
#include "base/error.h"

#include <stdbool.h>

ride_status top_terminal_enter(ride_error *err);
void top_terminal_leave(void);
void top_terminal_size(uint32_t *lines, uint32_t *columns); /* 24 and 80 when it is not known */
/* Puts the lines, each ended by TOP_LINE_END, over what stood there. */
void top_terminal_show(const char *text, size_t bytes);
#define TOP_LINE_END "\033[K\r\n"
/* Waits for a key, at most timeout_ns: the key; 0 = the time is over; -1 = the window has another size, or a signal came. Ctrl-C
 * is 3, Ctrl-Z has been done (the program was stopped and goes on), a closed terminal is `q`. */
int top_terminal_key(uint64_t timeout_ns);

#endif
