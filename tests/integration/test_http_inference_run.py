"""The Open Inference Protocol of a real `ride run`, over HTTP alone: a tensor `vector` has the margins that `ride score` gives for the same rows, and tensors
named by fields have what /v1/score answers for the same events; by hand and with a client from PyPI (tritonclient), where it is installed."""
import csv
import json
import math
import struct
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from http_ride import HttpRide, ride  # noqa: E402
from kafka_service import TOP  # noqa: E402

MODEL = TOP / "tests/golden/models/xgboost-3.2.0-plain.json"
NAMES = ("amount", "age", "gap", "kind")
SPEC = "\n".join(["version: 1", "zone: UTC", "sources:", "  tx:", "    format: json", "    event_time: {field: ts, unit: ms}", "    event_id: id", "    fields:",
                  "      id: u64", "      ts: {type: timestamp, unit: ms}", *(f"      {name}: {{type: f64, nullable: true}}" for name in NAMES),
                  f"vector: [{', '.join(NAMES)}]", ""])
OUTPUTS = ("event_id", "probability", "margin", "decision", "rule")


def rows_of():
    """The rows of the golden file, None where a value is missing."""
    with open(MODEL.with_suffix(".csv"), encoding="utf-8") as file:
        rows = [[float(row[name]) if row[name] else None for name in NAMES] for row in csv.DictReader(file)]
    assert len(rows) == 60 and any(None in row for row in rows)
    return rows


def scored(folder, rows):
    """What `ride score` says of rows: (margins, probabilities). Its nine digits are those of a single, which XGBoost's numbers are."""
    path, out = folder / "rows.csv", folder / "scored.txt"
    path.write_text("".join(",".join(line) + "\n" for line in [NAMES, *(["" if v is None else repr(v) for v in row] for row in rows)]))
    found = []
    for raw in (["--raw"], []):
        ride("score", "--model", MODEL, "--input", path, "--output", out, *raw)
        found.append([struct.unpack("f", struct.pack("f", float(line)))[0] for line in out.read_text().splitlines()])
    assert len(set(found[0])) > 10, "the rows are all alike"
    return found


def named(body):
    return {output["name"]: output["data"] for output in body["outputs"]}


def by_hand(service, folder, rows):
    margins, probabilities = scored(folder, rows)
    vector = {"inputs": [{"name": "vector", "shape": [len(rows), 4], "datatype": "FP64", "data": rows}]}
    status, body, _ = service.post("/v2/models/ride/infer", vector)
    assert status == 200, body
    assert named(body) == {"margin": margins, "probability": probabilities}, (named(body), margins, probabilities)
    status, body, _ = service.post("/v2/models/ride/infer", {"inputs": [dict(vector["inputs"][0], shape=[len(rows) * 2, 2])]})
    assert status == 422 and body["reason"] == "bad_shape" and "[n, 4]" in json.dumps(body), body


def events_of(rows):
    return [{"id": 2 ** 53 + 1 + i, "ts": 1767225600000 + i, **dict(zip(NAMES, row))} for i, row in enumerate(rows)]


def answers_of(service, rows):
    """What /v1/score says, an output of the protocol each; its margins are those of `ride score`."""
    status, records, _ = service.post("/v1/score", events_of(rows))
    assert status == 200 and len(records) == len(rows), records
    found = {name: [record[name] for record in records] for name in ("probability", "margin", "decision")}
    found["event_id"] = [str(record["id"]) for record in records]
    found["rule"] = [record["rule"] or "" for record in records]
    assert len(set(found["decision"])) == 2, found["decision"]
    return found


def fields_by_hand(service, folder, rows):
    expected = answers_of(service, rows)
    assert expected["margin"] == scored(folder, rows)[0]
    events = events_of(rows)
    inputs = [{"name": name, "shape": [len(rows)], "datatype": {"id": "UINT64", "ts": "INT64"}.get(name, "FP64"), "data": [e[name] for e in events]}
              for name in events[0]]
    status, body, _ = service.post("/v2/models/ride/infer", {"inputs": inputs, "outputs": [{"name": name} for name in OUTPUTS]})
    assert status == 200, body
    assert named(body) == expected, (named(body), expected)


def by_client(service, folder, rows):
    import numpy  # pylint: disable=import-outside-toplevel
    import tritonclient.http as triton  # pylint: disable=import-outside-toplevel
    client = triton.InferenceServerClient(service.address)
    holes = numpy.array([[math.nan if v is None else v for v in row] for row in rows])

    def infer(tensors, binary, asked=("margin", "probability")):
        inputs = []
        for name, kind, array in tensors:
            inputs.append(triton.InferInput(name, list(array.shape), kind))
            inputs[-1].set_data_from_numpy(array, binary_data=binary)
        answer = client.infer("ride", inputs, outputs=[triton.InferRequestedOutput(name, binary_data=binary) for name in asked])
        return {name: answer.as_numpy(name).tolist() for name in asked}
    for kind, dtype in (("FP64", numpy.float64), ("FP32", numpy.float32)):
        array = holes.astype(dtype)
        margins, probabilities = scored(folder, [[None if math.isnan(v) else float(v) for v in row] for row in array])
        assert infer([("vector", kind, array)], True) == {"margin": margins, "probability": probabilities}, kind
    whole = [row for row in rows if None not in row]  # JSON has no NaN
    margins, probabilities = scored(folder, whole)
    assert infer([("vector", "FP64", numpy.array(whole))], False) == {"margin": margins, "probability": probabilities}
    for binary, some in ((True, rows), (False, whole)):
        events, expected = events_of(some), answers_of(service, some)
        tensors = [("id", "UINT64", numpy.array([e["id"] for e in events], dtype=numpy.uint64)), ("ts", "INT64", numpy.array([e["ts"] for e in events])),
                   *((name, "FP64", numpy.array([math.nan if e[name] is None else e[name] for e in events])) for name in NAMES)]
        met = {name: [v.decode() if isinstance(v, bytes) else v for v in values] for name, values in infer(tensors, binary, OUTPUTS).items()}
        assert met == expected, (binary, met, expected)


def main():
    missing = None
    try:
        import tritonclient.http  # noqa: F401  pylint: disable=import-outside-toplevel,unused-import
    except ImportError as error:
        missing = error
    with tempfile.TemporaryDirectory(prefix="ride-inference-") as temporary:
        folder, rows = Path(temporary), rows_of()
        (folder / "spec.yaml").write_text(SPEC)
        service = HttpRide(folder, "run", f"spec: {folder}/spec.yaml\nmodel: {MODEL}\nrules: [{{id: likely, when: 'probability >= 0.5', decision: review}}]\n")
        service.start()
        try:
            for case in (by_hand, fields_by_hand, *(() if missing else (by_client,))):
                case(service, folder, rows)
                print(f"{case.__name__}: {len(rows)} rows")
            assert service.stop() == 0, service.said()
        finally:
            service.close()
    if missing:
        print(f"the requests by hand pass; without a client from PyPI: {missing} (python/requirements-test.txt)")
        sys.exit(77)


if __name__ == "__main__":
    main()
