#!/usr/bin/env bash
# Random models of ONNX, treelite, XGBoost, LightGBM, scikit-learn and CatBoost against ONNX Runtime, treelite's predictor and the trainers, with each set of versions in
# trainers/: RIDE_FORMATS_MODELS (250) of each format of the newest, and 100 of each of the others that the set has. The packages are put into out/formats/NAME.
set -u
top=${RIDE_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "$top" || exit 1
mkdir -p out/formats
export RIDE_BIN=${RIDE_BIN:-$top/build/release/bin/ride} OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
failed=0
declare -A made
run() { # format, python, how many, command
    local format=$1 python=$2 count=$3
    shift 3
    "$python" "$@" || { failed=1; echo "$format of $python: not equal"; }
    made[$format]=$((${made[$format]:-0} + count))
}
for set in newest 2024 2023; do
    venv=out/formats/$set wanted=tests/long/trainers/$set.txt count=100
    [ "$set" = newest ] && count=${RIDE_FORMATS_MODELS:-250}
    if ! cmp -s "$wanted" "$venv/installed.txt"; then
        rm -rf "$venv"
        python3 -m venv "$venv" && "$venv/bin/pip" install -q -r "$wanted" >"$venv/pip.log" 2>&1 && cp "$wanted" "$venv/installed.txt" ||
            { tail -3 "$venv/pip.log"; echo "the trainers of $wanted cannot be installed here"; exit 77; }
    fi
    export RIDE_RANDOM_MODELS=$count
    for format in onnx treelite xgboost; do
        grep -q "^$format" "$wanted" && run "$format" "$venv/bin/python" "$count" tests/long/formats.py "$format" "$count"
    done
    [ "$set" = newest ] && run onnx_parts "$venv/bin/python" "$count" tests/long/formats.py onnx_parts "$count" # as that exporter writes them
    for format in lightgbm sklearn catboost; do
        run "$format" "$venv/bin/python" "$count" "tests/integration/test_random_$format.py"
    done
done
for format in "${!made[@]}"; do echo "figure: ${format}_random_models ${made[$format]}"; done
exit $failed
