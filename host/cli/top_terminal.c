/* cli/top_terminal.c: see top_terminal.h. Keys that make signals are read as keys, and signals come only while a key is waited for: so none
 * is lost between two waits. */
#include "cli/top_terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { CTRL_Z = 26 };
static struct termios before;
static sigset_t signals_before;
static bool entered;

static void write_all(const char *text, size_t bytes) {
    while (bytes > 0) {
        ssize_t n = write(STDOUT_FILENO, text, bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return; /* a terminal that went away is seen by the next read */
        text += n;
        bytes -= (size_t)n;
    }
}
static void write_text(const char *text) { write_all(text, strlen(text)); }

static void on_resize(int signal_number) { (void)signal_number; } /* it only ends the wait */

ride_status top_terminal_enter(ride_error *err) {
    if (tcgetattr(STDIN_FILENO, &before) != 0)
        return ride_fail(err, RIDE_E_USAGE, "the live view needs a terminal to read keys from; take --once");
    struct termios raw = before;
    raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO | ISIG | IEXTEN);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) != 0)
        return ride_fail(err, RIDE_E_IO, "the terminal cannot be set: %s", strerror(errno));
    const struct sigaction resize = {.sa_handler = on_resize}; /* no SA_RESTART */
    sigaction(SIGWINCH, &resize, NULL);
    sigset_t held;
    sigemptyset(&held);
    sigaddset(&held, SIGWINCH);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &held, &signals_before);
    entered = true;
    write_text("\033[?1049h\033[?25l\033[?7l\033[2J"); /* alternate screen, no cursor, no wrapping */
    return RIDE_OK;
}

void top_terminal_leave(void) {
    if (!entered) return;
    entered = false;
    write_text("\033[?7h\033[?25h\033[?1049l");
    tcsetattr(STDIN_FILENO, TCSANOW, &before);
    pthread_sigmask(SIG_SETMASK, &signals_before, NULL);
}

void top_terminal_size(uint32_t *lines, uint32_t *columns) {
    struct winsize size = {0};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0)
        size.ws_row = 24, size.ws_col = 80;
    *lines = size.ws_row;
    *columns = size.ws_col;
}

void top_terminal_show(const char *text, size_t bytes) {
    size_t end = sizeof TOP_LINE_END - 1;
    write_text("\033[H");
    /* the last line ends without a new one: the screen would roll */
    if (bytes >= end && memcmp(text + bytes - end, TOP_LINE_END, end) == 0) bytes -= 2;
    write_all(text, bytes);
    write_text("\033[J");
}

int top_terminal_key(uint64_t timeout_ns) {
    struct pollfd keys = {.fd = STDIN_FILENO, .events = POLLIN};
    const struct timespec timeout = {.tv_sec = (time_t)(timeout_ns / 1000000000),
                                     .tv_nsec = (long)(timeout_ns % 1000000000)};
    int ready = ppoll(&keys, 1, &timeout, &signals_before);
    if (ready < 0) return errno == EINTR ? -1 : 'q';
    if (ready == 0) return 0;
    char key;
    ssize_t n = read(STDIN_FILENO, &key, 1);
    if (n < 0 && errno == EINTR) return -1;
    if (n <= 0) return 'q';
    if (key != CTRL_Z) return key;
    top_terminal_leave();
    kill(0, SIGTSTP);
    return top_terminal_enter(NULL) == RIDE_OK ? -1 : 'q';
}
