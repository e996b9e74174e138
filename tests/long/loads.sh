#!/usr/bin/env bash
# Models of RIDE_LOAD_BYTES (1 GiB) of five formats are loaded with at most 2.5 times their size in memory at once (tests/integration/test_load_memory.py); needs 3 GiB of
# memory and 1 GiB of disk.
set -u
top=${RIDE_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "$top" || exit 1
export RIDE_LOAD_BYTES=${RIDE_LOAD_BYTES:-1040000000} # ONNX rounds up: a little below the limit of 1 GiB
exec scripts/python tests/integration/test_load_memory.py
