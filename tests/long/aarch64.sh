#!/usr/bin/env bash
# 64-bit ARM: the minimal build by Debian's cross compiler, its programs under QEMU's user mode (scripts/setup --aarch64). Unit tests of the scoring kernels with
# every way of NEON, whose margins are those recorded on x86; the golden set; random ensembles, programs and wide plans against the reference, RIDE_CONFORMANCE_ROUNDS
# (2) of each, from seed RIDE_CONFORMANCE_SEED (4: the fifth is one that GCC 12 got wrong here). Programs that make many states are left out: QEMU keeps notes about
# each page that was ever mapped, and runs out of memory. Then libride: the golden files of XGBoost, LightGBM and CatBoost have their trainers' margins on ARM too.
set -u
top=${RIDE_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "$top" || exit 1
for tool in aarch64-linux-gnu-g++ qemu-aarch64; do
    command -v $tool >/dev/null || { echo "$tool is missing: scripts/setup --aarch64"; exit 77; }
done
out=$top/out/aarch64
mkdir -p "$out"
cmake --preset aarch64 >"$out/build.log" 2>&1 && cmake --build build/aarch64 --target unit_programs conformance_programs >>"$out/build.log" 2>&1 ||
    { grep -E 'error|FAILED' "$out/build.log" | head -20; echo "the build failed: $out/build.log"; exit 1; }
export RIDE_SOURCE_DIR=$top RIDE_CONFORMANCE_ROUNDS=${RIDE_CONFORMANCE_ROUNDS:-2} RIDE_CONFORMANCE_SEED=${RIDE_CONFORMANCE_SEED:-4} RIDE_CONFORMANCE_BACKENDS=reference,cpu,cpu_portable
failed=0 passed=0
for name in unit_cpu_forest unit_cpu_network unit_network unit_forest unit_math \
    conformance_golden conformance_rows conformance_ensembles conformance_programs conformance_wide; do
    qemu-aarch64 -L /usr/aarch64-linux-gnu build/aarch64/tests/${name}_test >"$out/$name.log" 2>&1
    code=$?
    tail -1 "$out/$name.log" | sed "s/^/$name: /"
    if [ $code -eq 0 ]; then passed=$((passed + 1)); else failed=1; grep -B1 -A2 -E '^\[FAIL\]|crashed' "$out/$name.log" | head -20; fi
done
grep -E '^(NEON|rows scored)' "$out/unit_cpu_forest.log"
grep -Eq '^NEON +wide planes +[1-9]' "$out/unit_cpu_forest.log" && grep -Eq '^NEON +row +[1-9]' "$out/unit_cpu_forest.log" ||
    { echo "no row was scored by NEON"; failed=1; }

library=build/aarch64-library flags="-std=gnu17 -O2 -Ihost/include -c"
{ cmake -S . -B $library -G Ninja --toolchain cmake/aarch64.cmake -DCMAKE_BUILD_TYPE=Release -DRIDE_LIBRARY_ONLY=ON &&
    cmake --build $library --target ride_core &&
    aarch64-linux-gnu-gcc $flags tests/support/golden_margins.c -o $library/golden_margins.o &&
    aarch64-linux-gnu-gcc $flags tests/support/yaml_none.c -o $library/yaml_none.o &&
    aarch64-linux-gnu-g++ $library/golden_margins.o $library/yaml_none.o $library/libride_core.a -lm -lpthread -ldl -o $library/golden_margins; } >"$out/library.log" 2>&1 ||
    { grep -E 'error|FAILED' "$out/library.log" | head -20; echo "the library does not build: $out/library.log"; exit 1; }
models=0
for rows in tests/golden/models/*.csv tests/golden/catboost/*.csv; do
    case $rows in *.shap.csv | *-texts.csv) continue ;; esac # shares; categories by name
    number=double
    case $rows in */xgboost-*) number=float ;; esac
    for model in "${rows%.csv}".{json,ubj,txt,cbm}; do
        [ -f "$model" ] || continue
        said=$(qemu-aarch64 -L /usr/aarch64-linux-gnu $library/golden_margins $number "$model" "$rows" 2>&1)
        if [ $? -eq 0 ]; then models=$((models + 1)); else failed=1; echo "$model: $said"; fi
    done
done
echo "models with their trainers' margins: $models"
[ $models -ge 70 ] || { echo "fewer than 70 models"; failed=1; }
echo "figure: aarch64_programs $passed"
echo "figure: aarch64_models $models"
exit $failed
