/* engine/state_http.h: GET /v1/state?entity=card&key=… on the admin listener: what the window state has of one key (state_desk.h). A key of several
 * fields: key.FIELD=… for each. at=…: as of that event time. 404: no such entity, nothing known of the key; 400; 429: another
 * question is being answered; 501: the backend does not show its state; 503: the state is not there. */
#ifndef RIDE_ENGINE_STATE_HTTP_H
#define RIDE_ENGINE_STATE_HTTP_H
#include "engine/state_desk.h"
#include "serve/server.h"

typedef struct state_http { /* the caller's; outlives the server; nothing to close */
    state_desk *desk;
    ride_http_route route;
} state_http;

ride_status state_http_open(state_http *http, state_desk *desk, ride_server *server, ride_error *err);

#endif
