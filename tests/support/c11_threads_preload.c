/* support/c11_threads_preload.c: C11's threads, mutexes and conditions by those of POSIX, as a library to be preloaded into a program that is
 * built with ThreadSanitizer. TSan watches pthread_…; glibc's thrd_create, mtx_… and cnd_… go past it: a thread of librdkafka's then has no
 * place in TSan and crashes in the first function that TSan intercepts, and what librdkafka's mutexes order looks like races. Only what
 * librdkafka calls. With RIDE_PLANTED_RACE in the environment there is a race, which shows that one would be reported. */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>

static_assert(sizeof(mtx_t) >= sizeof(pthread_mutex_t) && sizeof(cnd_t) >= sizeof(pthread_cond_t), "glibc's are these");

static int told(int error) {
    return error == 0           ? thrd_success
           : error == EBUSY     ? thrd_busy
           : error == ETIMEDOUT ? thrd_timedout
           : error == ENOMEM    ? thrd_nomem
                                : thrd_error;
}

typedef struct start {
    thrd_start_t function;
    void *argument;
} start;

static void *run(void *context) {
    const start s = *(start *)context;
    free(context);
    return (void *)(intptr_t)s.function(s.argument);
}

int thrd_create(thrd_t *thread, thrd_start_t function, void *argument) {
    start *s = malloc(sizeof *s);
    if (s == NULL) return thrd_nomem;
    *s = (start){function, argument};
    const int error = pthread_create(thread, NULL, run, s);
    if (error != 0) free(s);
    return told(error);
}

int thrd_join(thrd_t thread, int *result) {
    void *value = NULL;
    const int error = pthread_join(thread, &value);
    if (result != NULL) *result = (int)(intptr_t)value;
    return told(error);
}

int mtx_init(mtx_t *mutex, int type) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, type & mtx_recursive ? PTHREAD_MUTEX_RECURSIVE : PTHREAD_MUTEX_NORMAL);
    const int error = pthread_mutex_init((pthread_mutex_t *)mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
    return told(error);
}
void mtx_destroy(mtx_t *mutex) { pthread_mutex_destroy((pthread_mutex_t *)mutex); }
int mtx_lock(mtx_t *mutex) { return told(pthread_mutex_lock((pthread_mutex_t *)mutex)); }
int mtx_unlock(mtx_t *mutex) { return told(pthread_mutex_unlock((pthread_mutex_t *)mutex)); }

int cnd_init(cnd_t *condition) { return told(pthread_cond_init((pthread_cond_t *)condition, NULL)); }
void cnd_destroy(cnd_t *condition) { pthread_cond_destroy((pthread_cond_t *)condition); }
int cnd_signal(cnd_t *condition) { return told(pthread_cond_signal((pthread_cond_t *)condition)); }
int cnd_broadcast(cnd_t *condition) { return told(pthread_cond_broadcast((pthread_cond_t *)condition)); }
int cnd_wait(cnd_t *condition, mtx_t *mutex) {
    return told(pthread_cond_wait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex));
}
int cnd_timedwait(cnd_t *condition, mtx_t *mutex, const struct timespec *until) {
    return told(pthread_cond_timedwait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex, until));
}

static volatile uint64_t planted;
static void *planted_race(void *unused) {
    for (int i = 0; i < 1000; i++) {
        planted++;
        thrd_sleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return unused;
}
__attribute__((constructor)) static void plant(void) {
    pthread_t threads[2];
    if (getenv("RIDE_PLANTED_RACE") == NULL) return;
    for (int i = 0; i < 2; i++)
        if (pthread_create(&threads[i], NULL, planted_race, NULL) == 0) pthread_detach(threads[i]);
}
