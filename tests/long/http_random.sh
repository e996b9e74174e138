#!/usr/bin/env bash
# Requests at random against the HTTP server: RIDE_HTTP_RANDOM (100000) of them, from seed RIDE_HTTP_SEED (the time).
set -u
top=${RIDE_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "$top" || exit 1
export RIDE_HTTP_RANDOM=${RIDE_HTTP_RANDOM:-100000}
scripts/python tests/integration/test_http_abuse.py random_requests
code=$?
[ $code -ne 0 ] || echo "figure: http_random_requests $RIDE_HTTP_RANDOM"
exit $code
