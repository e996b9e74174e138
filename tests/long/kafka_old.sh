#!/usr/bin/env bash
# The feed and the outlet against the broker of the line before: Kafka 3.9, its rebalances, kills, logins.
set -u
top=${RIDE_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "$top" || exit 1
export KAFKA_VERSION=3.9.2
scripts/python tests/integration/test_kafka_io.py || exit
exec scripts/python tests/integration/test_kafka_logins.py
