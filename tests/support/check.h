/* support/check.h: a test program without any library: cases, checks, skips, and a closing line that tests/runner counts. For what
 * also has to run on machines that have a compiler and nothing else, and under ThreadSanitizer.
 *
 *     static void grows(const void *argument) { CHECK(size == 2, "%u entries", size); }
 *     int main(int argc, char **argv) {
 *         check_add("table", "grows", grows, NULL);
 *         return check_main(argc, argv);
 *     }
 *
 * Cases run one after the other in this process, in the order added. A check that does not hold ends its case, with file, line,
 * message and the seed that repeats it; the next case runs. A crash ends the program, naming the case.
 *
 * PROGRAM [--list] [PATTERN…]: only cases whose suite::name contains a pattern. Exit code 0 when all passed, 1 when one
 * failed, 2 for a pattern that fits none, 77 when every case was skipped. The closing line is that of a Criterion program, so that the
 * runner counts both alike.
 *
 * Environment, for cases that loop over seeds with check_rounds: RIDE_CONFORMANCE_SEED (where they begin, 1),
 * RIDE_CONFORMANCE_ROUNDS (how many instead of the case's own number), RIDE_CONFORMANCE_SECONDS (for the whole program: a
 * case's last round begins before its share of them is over; each has at least one). */
#ifndef RIDE_TESTS_CHECK_H
#define RIDE_TESTS_CHECK_H
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef void (*check_fn)(const void *argument);

enum { CHECK_CASES_MAX = 256, CHECK_TEXT_MAX = 1000 };

typedef struct check_case {
    char name[128]; /* suite::name, letters, digits and _ */
    check_fn run;
    const void *argument;
} check_case;

typedef enum check_outcome { CHECK_PASSED, CHECK_FAILED, CHECK_SKIPPED } check_outcome;

static struct {
    check_case cases[CHECK_CASES_MAX];
    uint32_t cases_count;
    const char *program;
    const check_case *running;
    jmp_buf end_of_case;
    char text[CHECK_TEXT_MAX]; /* why it was skipped */
    uint64_t seed, rounds;     /* of the running case; rounds = 0: it does not loop */
    uint32_t counts[3];        /* by outcome */
    uint32_t wanted, begun;    /* cases */
    double start_s;
} check;

static inline double check_now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static inline void check_add(const char *suite, const char *name, check_fn run, const void *argument) {
    if (check.cases_count == CHECK_CASES_MAX) abort();
    check_case *c = &check.cases[check.cases_count++];
    snprintf(c->name, sizeof c->name, "%s::%s", suite, name);
    for (char *at = c->name; *at != 0; at++)
        if (strchr(" ,.-/", *at) != NULL) *at = '_';
    c->run = run;
    c->argument = argument;
}

static inline uint64_t check_environment(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);
    return text != NULL && *text != 0 ? strtoull(text, NULL, 10) : otherwise;
}

/* Ends the running case. `what`: NULL = without a place (of a failure that has one already). */
__attribute__((format(printf, 3, 4), noreturn)) static inline void check_fail(const char *file, int line,
                                                                              const char *format, ...) {
    va_list list;
    printf("%s:%d: ", file, line);
    va_start(list, format);
    vprintf(format, list);
    va_end(list);
    printf("\n");
    if (check.rounds > 0)
        printf("  repeat: RIDE_CONFORMANCE_SEED=%llu RIDE_CONFORMANCE_ROUNDS=1 %s %s\n", (unsigned long long)check.seed,
               check.program, check.running->name);
    longjmp(check.end_of_case, 1 + CHECK_FAILED);
}
/* Ends the running case, which cannot run here. A reason is a must. */
__attribute__((format(printf, 1, 2), noreturn)) static inline void check_skip(const char *format, ...) {
    va_list list;
    va_start(list, format);
    vsnprintf(check.text, sizeof check.text, format, list);
    va_end(list);
    for (char *at = check.text; *at != 0; at++)
        if (*at == '\n') *at = ' ';
    longjmp(check.end_of_case, 1 + CHECK_SKIPPED);
}
/* CHECK(condition, format, …): the message says what is wrong, with the values. */
#define CHECK(condition, ...)                                                                                          \
    do {                                                                                                               \
        if (!(condition)) check_fail(__FILE__, __LINE__, __VA_ARGS__);                                                 \
    } while (0)

/* for (uint64_t seed; check_rounds(200, &seed);): each round's seed. */
static inline int check_rounds(uint64_t rounds_count, uint64_t *seed) {
    const uint64_t rounds = check_environment("RIDE_CONFORMANCE_ROUNDS", rounds_count),
                   seconds = check_environment("RIDE_CONFORMANCE_SECONDS", 0);
    const double share_s = (double)seconds * check.begun / check.wanted; /* what the cases before left is this one's */
    if (check.rounds == rounds) return 0;
    if (check.rounds > 0 && seconds > 0 && check_now_s() - check.start_s > share_s) return 0;
    *seed = check.seed = check_environment("RIDE_CONFORMANCE_SEED", 1) + check.rounds++;
    return 1;
}

static inline void check_close(uint32_t crashing) {
    const uint32_t tested = check.counts[CHECK_PASSED] + check.counts[CHECK_FAILED] + crashing;
    char line[160];
    const int bytes =
        snprintf(line, sizeof line, "[====] Synthesis: Tested: %u | Passing: %u | Failing: %u | Crashing: %u\n", tested,
                 check.counts[CHECK_PASSED], check.counts[CHECK_FAILED], crashing);
    if (write(STDOUT_FILENO, line, (size_t)bytes) != bytes) _exit(1);
}

/* Only what may be called in a signal handler. */
static inline void check_crashed(int number) {
    static const char text[] = "crashed (or aborted) in ";
    const char *name = check.running != NULL ? check.running->name : "no case";
    if (write(STDOUT_FILENO, text, sizeof text - 1) < 0 || write(STDOUT_FILENO, name, strlen(name)) < 0 ||
        write(STDOUT_FILENO, "\n", 1) < 0)
        _exit(1);
    check_close(1);
    signal(number, SIG_DFL);
    raise(number);
}

static inline void check_run(const check_case *c) {
    check.running = c;
    check.begun++;
    check.seed = check.rounds = 0;
    const double begin_s = check_now_s();
    const int jumped = setjmp(check.end_of_case); /* what is read below does not change in the case */
    if (jumped == 0) c->run(c->argument);
    const check_outcome outcome = jumped == 0 ? CHECK_PASSED : (check_outcome)(jumped - 1);
    check.running = NULL;
    check.counts[outcome]++;
    if (outcome == CHECK_SKIPPED) {
        printf("[SKIP] %s: %s\n", c->name, check.text);
    } else {
        printf("[%s] %s (%.2f s", outcome == CHECK_PASSED ? "PASS" : "FAIL", c->name, check_now_s() - begin_s);
        if (check.rounds > 0) printf(", %llu rounds", (unsigned long long)check.rounds);
        printf(")\n");
    }
    fflush(stdout);
}

static inline int check_wanted(const check_case *c, int patterns_count, char **patterns) {
    for (int i = 0; i < patterns_count; i++)
        if (strstr(c->name, patterns[i]) != NULL) return 1;
    return patterns_count == 0;
}

static inline int check_main(int argc, char **argv) {
    static const int crashes[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    int first = 1, list = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    check.program = argv[0];
    check.start_s = check_now_s();
    if (argc > 1 && strcmp(argv[1], "--list") == 0) list = first++;
    if (argc > first && argv[first][0] == '-') {
        fprintf(stderr, "usage: %s [--list] [PATTERN...]\n", argv[0]);
        return 2;
    }
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* they say more, and end the program themselves */
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++) signal(crashes[i], check_crashed);
#else
    (void)crashes;
    (void)check_crashed;
#endif
    for (uint32_t i = 0; i < check.cases_count; i++)
        check.wanted += (uint32_t)check_wanted(&check.cases[i], argc - first, argv + first);
    for (uint32_t i = 0; i < check.cases_count; i++) {
        if (!check_wanted(&check.cases[i], argc - first, argv + first)) continue;
        if (list) printf("%s\n", check.cases[i].name);
        else check_run(&check.cases[i]);
    }
    if (check.wanted == 0) fprintf(stderr, "%s: no case fits; --list shows all\n", argv[0]);
    if (list || check.wanted == 0) return check.wanted == 0 ? 2 : 0;
    check_close(0);
    if (check.counts[CHECK_FAILED] > 0) return 1;
    if (check.counts[CHECK_PASSED] > 0) return 0;
    printf("every case was skipped, the last one: %s\n", check.text);
    return 77;
}

#endif
