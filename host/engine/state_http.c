/* engine/state_http.c: see state_http.h. */
#include "engine/state_http.h"

#include <stdlib.h>
#include <string.h>

typedef struct asking {
    ride_http_request *request;
    state_question question;
    bool is_long; /* a part of the question does not fit */
    uint32_t code;
    char *text;
    size_t bytes;
} asking;

static bool copy(char *to, size_t room, const char *from) {
    const size_t bytes = strlen(from);
    if (bytes >= room) return false;
    memcpy(to, from, bytes + 1);
    return true;
}

static void on_parameter(void *context, const char *name, const char *value) {
    asking *a = context;
    state_question *q = &a->question;
    bool fits = true;
    if (strcmp(name, "entity") == 0) fits = copy(q->entity, sizeof q->entity, value);
    else if (strcmp(name, "at") == 0) fits = copy(q->at, sizeof q->at, value);
    else if (strcmp(name, "key") == 0 || strncmp(name, "key.", 4) == 0) {
        fits = q->keys_count < RIDE_KEYS_MAX;
        if (fits) {
            fits = copy(q->keys[q->keys_count].field, sizeof q->keys[0].field, name[3] == '.' ? name + 4 : "") &&
                   copy(q->keys[q->keys_count].value, sizeof q->keys[0].value, value);
            q->keys_count++;
        }
    }
    a->is_long = a->is_long || !fits;
}

/* The server's thread: the answer is there. */
static void on_woken(void *context, ride_http_request *request) {
    asking *a = context;
    ride_http_set(request, "Cache-Control", "no-store");
    if (a->text != NULL) ride_http_reply_malloced(request, a->code, "application/json", a->text, a->bytes);
    else ride_http_error(request, 500, "memory", NULL, "no memory for the answer");
    free(a);
}

/* The engine's thread. */
static void on_answered(void *context, uint32_t code, char *text, size_t bytes) {
    asking *a = context;
    a->code = code;
    a->text = text;
    a->bytes = bytes;
    ride_http_wake(a->request);
}

static void on_get(void *context, ride_http_request *request) {
    const state_http *http = context;
    asking *a = calloc(1, sizeof *a);
    if (a == NULL) {
        ride_http_error(request, 500, "memory", NULL, "no memory for the question");
        return;
    }
    a->request = request;
    ride_http_query_all(request, on_parameter, a);
    const bool asks = a->question.entity[0] != '\0' && a->question.keys_count > 0;
    if (a->is_long) ride_http_error(request, 400, "too_long", NULL, "a part of the question is too long");
    else if (!asks) ride_http_error(request, 400, "bad_request", NULL, "ask /v1/state?entity=NAME&key=VALUE");
    else {
        a->question.context = a;
        a->question.answered = on_answered;
        ride_http_wait(request, on_woken, a); /* before: the answer may come at once */
        if (state_desk_ask(http->desk, &a->question)) return;
        a->code = 429;
        a->text = strdup("{\"error\":\"one question at a time\",\"reason\":\"busy\"}\n");
        a->bytes = a->text != NULL ? strlen(a->text) : 0;
        ride_http_wake(request);
        return;
    }
    free(a);
}

ride_status state_http_open(state_http *http, state_desk *desk, ride_server *server, ride_error *err) {
    *http = (state_http){.desk = desk, .route = {"GET", "/v1/state", "state", on_get, http, false}};
    return ride_serve_routes(server, &http->route, 1, err);
}
