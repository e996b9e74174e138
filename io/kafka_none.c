/* io/kafka_none.c: what a build without librdkafka has instead of kafka_*.c. */
#include "io/kafka.h"

static ride_status none(ride_error *err) {
    ride_fail(err, RIDE_E_UNSUPPORTED, "this build has no Kafka");
    ride_error_advice(err, "install librdkafka-dev and build again");
    return RIDE_E_UNSUPPORTED;
}

ride_status ride_kafka_feed_open(const ride_kafka_options *options, const ride_feed_events *events, ride_feed **out,
                                 ride_error *err) {
    (void)options;
    (void)events;
    *out = NULL;
    return none(err);
}

ride_status ride_kafka_outlet_open(const ride_kafka_options *options, const char *const *topics, uint32_t topics_count,
                                   const ride_outlet_events *events, ride_outlet **out, ride_error *err) {
    (void)options;
    (void)topics;
    (void)topics_count;
    (void)events;
    *out = NULL;
    return none(err);
}

const char *ride_kafka_version(void) { return "no Kafka in this build"; }
