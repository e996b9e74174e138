#!/usr/bin/env bash
# Every fuzz target for RIDE_FUZZ_SECONDS (default 300) under clang's ASan and UBSan, starting from its corpus. What it finds is
# kept in out/fuzz and belongs into tests/fuzz/corpus once it is fixed.
set -u
top=${RIDE_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "$top" || exit 1
command -v clang-14 >/dev/null || { echo "clang-14 is missing: scripts/setup --dev"; exit 77; }
seconds=${RIDE_FUZZ_SECONDS:-300}
mkdir -p out/fuzz
cmake --preset fuzz >out/fuzz/build.log 2>&1 && cmake --build build/fuzz --target fuzz_programs >>out/fuzz/build.log 2>&1 ||
    { tail -40 out/fuzz/build.log; echo "the fuzz build failed"; exit 1; }
found=0 targets=0
for source in tests/fuzz/fuzz_*.c; do
    [ -e "$source" ] || { echo "no fuzz target"; exit 77; }
    name=$(basename "$source" .c) name=${name#fuzz_}
    mkdir -p "out/fuzz/$name/corpus" "out/fuzz/$name/found"
    log=out/fuzz/$name/log
    dictionary=(); [ -e "tests/fuzz/$name.dict" ] && dictionary=(-dict="tests/fuzz/$name.dict")
    build/fuzz/fuzz/"$name" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 -print_final_stats=1 -jobs=0 \
        ${dictionary[@]+"${dictionary[@]}"} -artifact_prefix="out/fuzz/$name/found/" "out/fuzz/$name/corpus" "tests/fuzz/corpus/$name" >"$log" 2>&1
    code=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -1)
    echo "figure: ${name}_runs ${runs:-0}"
    targets=$((targets + 1))
    if [ "$code" -ne 0 ]; then
        found=$((found + 1))
        echo "$name: exit $code, see $log"
        grep -E 'SUMMARY|ERROR|runtime error' "$log" | head -5
    fi
done
echo "$targets targets, $seconds s each, $found with a finding"
[ "$found" -eq 0 ]
