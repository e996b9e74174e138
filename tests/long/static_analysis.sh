#!/usr/bin/env bash
# clang-tidy and cppcheck over the whole tree (targets tidy and cppcheck of the release build): no finding.
set -u -o pipefail
top=${RIDE_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
build=${RIDE_BUILD_DIR:-$top/build/release}
for tool in clang-tidy-14 cppcheck; do
    command -v $tool >/dev/null || { echo "$tool is missing: scripts/setup --dev"; exit 77; }
done
failed=0
for target in tidy cppcheck; do
    cmake --build "$build" --target $target 2>&1 | sed 's/\x1b\[[0-9;]*m//g' >"$build/$target.log" || { failed=1; echo "$target:"; }
    findings=$(grep -cE ': (error|warning|style|performance|portability):' "$build/$target.log")
    grep -E ': (error|warning|style|performance|portability):' "$build/$target.log" | sort -u | head -40
    echo "figure: ${target}_findings $findings"
done
exit $failed
