#!/usr/bin/env bash
# All 1.75 million transactions of the handbook on the emulated CUDA backend: the CPU's bytes, the published features.
top=${RIDE_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "$top" || exit 1
exec scripts/python tests/integration/test_cuda_handbook.py --all
