"""Reading what the `ride` program wrote, and joining it on the event id."""
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pandas as pd

DAY_MS = 86_400_000


def program():
    """The `ride` program: $RIDE_BIN, the release build of this tree, or the PATH."""
    built = Path(__file__).resolve().parents[2] / "build" / "release" / "bin" / "ride"
    found = os.environ.get("RIDE_BIN") or (str(built) if built.exists() else shutil.which("ride"))
    if not found:
        raise FileNotFoundError("no ride program: build it (cmake --preset release && ninja -C build/release)")
    return found


def run_features(spec, events, output):
    """Has the engine compute the features of a file of events."""
    command = [program(), "features", "run", "--spec", str(spec), "--input", str(events), "--output", str(output)]
    done = subprocess.run(command, check=False)
    if done.returncode != 0:
        raise ValueError(f"{' '.join(command)} ended with {done.returncode}")
    return command


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def read_events(path, id_name="tx_id"):
    """Id, time, card, amount and truth of each distinct event, in the order of arrival."""
    frame = pd.read_csv(path, usecols=[id_name, "ts", "card", "terminal", "amount", "is_fraud"])
    return frame.drop_duplicates(id_name).reset_index(drop=True)


def read_decisions(path):
    """One row per event that a run (or `ride score` beside ids) answered: id, probability, and of a run decision and time_us.
    The id is the first column. Repeats of an event are answered with its first verdict, so the first row is the one. CSV, or NDJSON
    (the values of a topic) when the name ends in .ndjson."""
    lines = str(path).endswith(".ndjson")
    header = pd.read_json(path, lines=True, nrows=1).columns if lines else pd.read_csv(path, nrows=0).columns
    wanted = {"probability": "probability", "decision": "decision", "event_time": "time_us"}
    if "probability" not in header:
        raise ValueError(f"{path} has no column probability")
    names = [header[0], *(name for name in wanted if name in header)]
    types = {"decision": "category", "probability": "float64"}
    if lines:
        parts = [part[names] for part in pd.read_json(path, lines=True, chunksize=100_000, precise_float=True, convert_dates=False)]
        frame = pd.concat(parts).astype({name: kind for name, kind in types.items() if name in names})
    else:
        frame = pd.read_csv(path, usecols=names, dtype=types)[names]
    frame = frame.rename(columns=wanted | {header[0]: "id"})
    return frame.drop_duplicates("id").reset_index(drop=True)


def read_truth(path):
    """Id, time, card and truth of each distinct event; the id is the first column."""
    header = pd.read_csv(path, nrows=0).columns
    missing = {"ts", "card", "is_fraud"} - set(header)
    if missing:
        raise ValueError(f"{path} has no column {', '.join(sorted(missing))}")
    names = [header[0], "ts", "card", "is_fraud"]
    frame = pd.read_csv(path, usecols=names, dtype={"card": "category", "is_fraud": "int8"})[names]
    return frame.rename(columns={header[0]: "id"}).drop_duplicates("id").reset_index(drop=True)


def read_features(path, id_name="tx_id"):
    """Features as the engine wrote them: an empty field is null, which XGBoost takes as missing."""
    frame = pd.read_csv(path)
    if frame.columns[0] != id_name:
        raise ValueError(f"{path}: the first column is {frame.columns[0]}, not {id_name}")
    return frame


def read_labels(path, id_name="tx_id"):
    """When which fraud became known."""
    frame = pd.read_csv(path)
    return frame[frame.is_fraud == 1].drop_duplicates(id_name)


def join(events, features, id_name="tx_id"):
    """Events beside their features. Every row of features must have its event."""
    joined = features.merge(events.rename(columns={"amount": "event_amount", "terminal": "event_terminal"}),
                            on=id_name, how="inner", validate="one_to_one")
    if len(joined) != len(features):
        raise ValueError(f"{len(features) - len(joined)} rows of features have no event")
    return joined
