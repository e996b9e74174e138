#!/usr/bin/env bash
# Random models of ONNX, treelite, XGBoost, LightGBM, scikit-learn and CatBoost against ONNX Runtime, treelite's predictor and the trainers: RIDE_FORMATS_MODELS (250) of each format.
# The packages are put into out/formats/venv, unless RIDE_FORMATS_PYTHON names a Python that has them.
set -u
top=${RIDE_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "$top" || exit 1
mkdir -p out/formats
python=${RIDE_FORMATS_PYTHON:-out/formats/venv/bin/python}
if [ -z "${RIDE_FORMATS_PYTHON:-}" ] && ! "$python" -c 'import onnxruntime, skl2onnx, onnxmltools, treelite, lightgbm, xgboost, catboost' 2>/dev/null; then
    python3 -m venv out/formats/venv && out/formats/venv/bin/pip install -q -r tests/long/formats.requirements.txt >out/formats/pip.log 2>&1 ||
        { tail -3 out/formats/pip.log; echo "the trainers cannot be installed here"; exit 77; }
fi
export RIDE_BIN=${RIDE_BIN:-$top/build/release/bin/ride}
export RIDE_RANDOM_MODELS=${RIDE_FORMATS_MODELS:-250}
failed=0
for format in onnx treelite xgboost; do
    "$python" tests/long/formats.py "$format" "$RIDE_RANDOM_MODELS" || failed=1
    echo "figure: ${format}_random_models $RIDE_RANDOM_MODELS"
done
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
for trainer in lightgbm sklearn catboost; do
    "$python" "tests/integration/test_random_$trainer.py" || failed=1
    echo "figure: ${trainer}_random_models $RIDE_RANDOM_MODELS"
done
exit $failed
