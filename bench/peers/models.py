"""The models and rows of bench/peers/engines.py, made once into a folder: the shapes of the table in docs/benchmarks.md, on made-up rows of 32 continuous
features (what is measured does not depend on what they mean). Each model is saved in its trainer's own format, which every engine reads or converts.

    peers/bin/python bench/peers/models.py FOLDER [NAME …]
"""
import json
import pickle
import sys
from pathlib import Path

import numpy as np

FEATURES, TRAIN_ROWS, ROWS = 32, 100_000, 65_536


def rows(count, seed):
    return np.random.default_rng(seed).normal(size=(count, FEATURES)).astype(np.float32)


def labels(x):
    r = np.random.default_rng(7)
    score = x[:, 0] + x[:, 1] * x[:, 2] + np.sin(3 * x[:, 3]) + 0.5 * np.abs(x[:, 4]) - x[:, 5] * (x[:, 6] > 0.3) + 0.3 * x[:, 7:].sum(axis=1)
    return (score + r.normal(size=len(x)) > 0.5).astype(int)


def xgboost_500x6(folder, x, y):
    import xgboost
    booster = xgboost.train({"objective": "binary:logistic", "max_depth": 6, "eta": 0.1, "max_bin": 256, "tree_method": "hist", "seed": 1, "nthread": 1},
                            xgboost.DMatrix(x, y), 500)
    booster.save_model(folder / "xgboost-500x6.json")


def xgboost_100x6(folder, x, y):
    """The handbook's model has 100 trees over 15 features."""
    import xgboost
    booster = xgboost.train({"objective": "binary:logistic", "max_depth": 6, "eta": 0.1, "max_bin": 256, "tree_method": "hist", "seed": 1, "nthread": 1},
                            xgboost.DMatrix(x[:, :15], y), 100)
    booster.save_model(folder / "xgboost-100x6.json")


def lightgbm_500x31(folder, x, y):
    import lightgbm
    booster = lightgbm.train({"objective": "binary", "num_leaves": 31, "learning_rate": 0.1, "max_bin": 255, "verbose": -1, "seed": 1, "num_threads": 1},
                             lightgbm.Dataset(x, y), 500)
    booster.save_model(folder / "lightgbm-500x31.txt")


def forest_100x20(folder, x, y):
    from sklearn.ensemble import RandomForestClassifier
    save(folder, "forest-100x20", RandomForestClassifier(100, max_depth=20, min_samples_leaf=5, max_features=8, max_samples=40_000, n_jobs=1, random_state=1)
         .fit(x, y))


def isolation_100x256(folder, x, y):
    from sklearn.ensemble import IsolationForest
    save(folder, "isolation-100x256", IsolationForest(n_estimators=100, max_samples=256, random_state=1).fit(x), onnx=True)


def catboost_500x6(folder, x, y):
    import catboost
    model = catboost.CatBoostClassifier(iterations=500, depth=6, learning_rate=0.1, thread_count=1, verbose=False, random_seed=1, allow_writing_files=False)
    model.fit(x, y)
    model.save_model(str(folder / "catboost-500x6.cbm"))


def mlp_32_64_32_1(folder, x, y):
    from sklearn.neural_network import MLPClassifier
    save(folder, "mlp-32-64-32-1", MLPClassifier((64, 32), max_iter=10, random_state=1).fit(x[:50_000], y[:50_000]), onnx=True)


def save(folder, name, estimator, onnx=False):
    """A pickle for scikit-learn, RIDE's JSON, and ONNX."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))
    from ride import export
    with (folder / f"{name}.pickle").open("wb") as file:
        pickle.dump(estimator, file)
    (folder / f"{name}.json").write_text(export.to_json(estimator))
    if onnx:
        import skl2onnx
        from skl2onnx.common.data_types import FloatTensorType
        options = {} if name.startswith("isolation") else {id(estimator): {"zipmap": False}}
        made = skl2onnx.convert_sklearn(estimator, initial_types=[("x", FloatTensorType([None, FEATURES]))], options=options,
                                        target_opset={"": 17, "ai.onnx.ml": 3})
        (folder / f"{name}.onnx").write_bytes(made.SerializeToString())


MODELS = {f.__name__: f for f in (xgboost_500x6, xgboost_100x6, lightgbm_500x31, forest_100x20, isolation_100x256, catboost_500x6, mlp_32_64_32_1)}


def main():
    folder, wanted = Path(sys.argv[1]), sys.argv[2:] or list(MODELS)
    folder.mkdir(parents=True, exist_ok=True)
    x = rows(TRAIN_ROWS, 1)
    y = labels(x)
    np.save(folder / "rows.npy", rows(ROWS, 2))
    for name in wanted:
        MODELS[name](folder, x, y)
        print("made", name, flush=True)
    (folder / "made.json").write_text(json.dumps({"features": FEATURES, "train_rows": TRAIN_ROWS, "rows": ROWS}))


if __name__ == "__main__":
    main()
