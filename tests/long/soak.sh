#!/usr/bin/env bash
# The service for RIDE_SOAK_SECONDS (600) at 70 % of what it can work here, beside a real broker and HTTP clients: p99 by the minute, whose median is below
# RIDE_SOAK_P99_MS (100) and does not grow, memory that grows less than 1 % an hour, nothing of ours allocated, nothing lost.
set -u
top=${RIDE_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "$top" || exit 1
exec scripts/python tests/long/soak.py --seconds "${RIDE_SOAK_SECONDS:-600}" --p99-ms "${RIDE_SOAK_P99_MS:-100}"
