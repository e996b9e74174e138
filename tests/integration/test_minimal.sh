#!/usr/bin/env bash
# The minimal build (base, kernels and backend registry: what a GPU machine builds) configures and links without any
# library: pkg-config is hidden from it, and everything is linked with no undefined name allowed. Its conformance programs need
# no library either, and pass.
# ride-test: release-only (it makes a build of its own)
set -eu
source_dir=${RIDE_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
build=${RIDE_BUILD_DIR:-$source_dir/build/release}/minimal
PKG_CONFIG=/nonexistent PKG_CONFIG_PATH= cmake -S "$source_dir" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DRIDE_MINIMAL=ON -DRIDE_CUDA=OFF \
    -DPKG_CONFIG_EXECUTABLE=/nonexistent >"$build.log" 2>&1 || { tail -30 "$build.log"; echo "does not configure"; exit 1; }
cmake --build "$build" -j "$(nproc)" >"$build.log" 2>&1 || { tail -60 "$build.log"; echo "does not build"; exit 1; }
library=$build/libride_minimal_check.so
programs=$(ls "$build"/tests/conformance_*_test)
needed=$(readelf -d "$library" $programs | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort -u)
for name in $needed; do
    case $name in
    libc.so.* | libm.so.* | libpthread.so.* | libdl.so.* | ld-linux*) ;;
    libstdc++.so.* | libgcc_s.so.*) ;; # come with the compiler
    *) echo "the minimal build needs $name"; exit 1 ;;
    esac
done
nm "$library" | grep -q ' [tT] ride_bundle_open$' ||
    { echo "the bundle's reader is not in the minimal build"; exit 1; }
echo "minimal build: $(nm "$library" | grep -c ' [tT] ride_') functions, needs $(echo $needed)"
for program in $programs; do
    RIDE_CONFORMANCE_ROUNDS=3 RIDE_CONFORMANCE_BACKENDS=reference,cpu,cuda_emulated "$program" >"$build.log" 2>&1 ||
        { tail -20 "$build.log"; echo "$(basename "$program") fails in the minimal build"; exit 1; }
done
echo "conformance programs: $(echo $programs | wc -w), pass"
