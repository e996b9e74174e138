/* serve/cloudevent.h: CloudEvents 1.0 (https://github.com/cloudevents/spec, JSON event format): what is in an envelope. The attributes are
 * checked as the specification asks (specversion, id, source and type there and not empty) and not used: the event's id and time
 * are those of its own fields. */
#ifndef RIDE_SERVE_CLOUDEVENT_H
#define RIDE_SERVE_CLOUDEVENT_H
#include "serve/body.h"

/* Where the data is in text[0, bytes). data_base64 is decoded in place. false: *fault. */
bool ride_cloudevent_open(ride_json_parser *parser, char *text, size_t bytes, ride_body_range *data,
                          ride_body_fault *fault);
/* "application/json", "application/x+json", with parameters or without; NULL is one too. */
bool ride_cloudevent_is_json(const char *content_type, size_t bytes);

#endif
