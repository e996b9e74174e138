#!/usr/bin/env bash
# Window choices one by one on all 1.75 million handbook rows: pandas' rolling and the independent reference (windows_grid.py).
top=${RIDE_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "$top" || exit 1
exec scripts/python tests/long/windows_grid.py
