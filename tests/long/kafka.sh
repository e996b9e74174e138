#!/usr/bin/env bash
# A million generated events (RIDE_KAFKA_EVENTS) through a real broker: one partition gives the bytes of a run over the file, four those of
# their journal, in batches of 1 and of 4,096; `ride verify --journal` agrees.
set -u
top=${RIDE_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "$top" || exit 1
export RIDE_KAFKA_EVENTS=${RIDE_KAFKA_EVENTS:-1000000}
scripts/python tests/integration/test_service_kafka.py || exit
echo "figure: events $RIDE_KAFKA_EVENTS"
