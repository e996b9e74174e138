/* Questions about the state from several threads at once, an engine that answers them and a desk that closes: a question that was taken is
 * answered once, by the engine's thread, and none after it. */
#include "base/waker.h"
#include "engine/state_desk.h"
#include "tests/support/check_exit.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ASKERS = 4, QUESTIONS = 1000 };

static state_desk *desk;
static ride_waker waker;
static pthread_t engine;
static _Atomic uint64_t taken, refused, answered;
static _Atomic bool stop;

typedef struct asker {
    pthread_t thread;
    state_question question; /* its own: the desk copies it */
    _Atomic uint32_t answers;
} asker;

static void on_answer(void *context, uint32_t code, char *text, size_t bytes) {
    asker *a = context;
    CHECK(pthread_equal(pthread_self(), engine));
    CHECK(code == 503 && bytes == strlen(text));
    free(text);
    atomic_fetch_add(&answered, 1);
    atomic_fetch_add(&a->answers, 1);
}

static void *ask(void *context) {
    asker *a = context;
    uint32_t mine = 0;
    a->question = (state_question){.entity = "card", .context = a, .answered = on_answer};
    for (uint32_t i = 0; i < QUESTIONS; i++) {
        snprintf(a->question.keys[0].value, STATE_KEY_BYTES, "%u", i);
        while (!state_desk_ask(desk, &a->question)) {
            atomic_fetch_add(&refused, 1);
            sched_yield();
        }
        mine++;
        atomic_fetch_add(&taken, 1);
        while (i % 2 == 0 && atomic_load(&a->answers) < mine) sched_yield(); /* every other one is waited for */
    }
    return NULL;
}

static void *serve(void *context) {
    (void)context;
    while (!atomic_load(&stop)) {
        state_desk_serve(desk, NULL, "there is no state here");
        ride_waker_wait(&waker, 1000000);
    }
    state_desk_close(desk);
    return NULL;
}

int main(void) {
    static asker askers[ASKERS];
    CHECK(ride_waker_open(&waker, NULL) == RIDE_OK);
    CHECK(state_desk_create(&waker, &desk, NULL) == RIDE_OK);
    CHECK(pthread_create(&engine, NULL, serve, NULL) == 0);
    for (int i = 0; i < ASKERS; i++) CHECK(pthread_create(&askers[i].thread, NULL, ask, &askers[i]) == 0);
    for (int i = 0; i < ASKERS; i++) pthread_join(askers[i].thread, NULL);
    atomic_store(&stop, true);
    ride_waker_wake(&waker);
    pthread_join(engine, NULL);
    CHECK(atomic_load(&taken) == atomic_load(&answered) && atomic_load(&taken) == (uint64_t)ASKERS * QUESTIONS);
    CHECK(!state_desk_ask(desk, &askers[0].question));
    state_desk_destroy(desk);
    ride_waker_close(&waker);
    printf("%llu answered, %llu refused\n", (unsigned long long)atomic_load(&answered),
           (unsigned long long)atomic_load(&refused));
    return 0;
}
