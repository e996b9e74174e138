#!/usr/bin/env bash
# Runs that are stopped and killed again and again (RIDE_TEST_KILLS kills at least, default 100): the same bytes as at one go.
set -u
top=${RIDE_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "$top" || exit 1
RIDE_TEST_KILLS=${RIDE_TEST_KILLS:-100} scripts/python tests/integration/test_run.py
