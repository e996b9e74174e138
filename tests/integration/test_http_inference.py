"""The Open Inference Protocol: requests by hand, JSON and binary, right and wrong; then a client from PyPI (tritonclient), where it is
installed (python/requirements-test.txt)."""
import json
import math
import struct
import sys

from http_echo import JSON, Echo, post, run

INFER = "/v2/models/echo/infer"


def tensor(name, datatype, data, shape=None, **parameters):
    t = {"name": name, "datatype": datatype, "shape": shape or [len(data)], "data": data}
    return {**t, "parameters": parameters} if parameters else t


def ask(echo, body, path=INFER, **more):
    status, headers, text = echo.ask("POST", path, body if isinstance(body, (str, bytes)) else json.dumps(body), **more)
    return status, headers, text


def outputs(text):
    return {o["name"]: o["data"] for o in json.loads(text)["outputs"]}


def json_tensors():
    with Echo() as echo:
        inputs = [tensor("id", "INT64", [64, 2 ** 53 + 1, -3]), tensor("card", "BYTES", [["a\u00fc\""], [""], ["\\"]], [3, 1])]
        status, headers, text = ask(echo, {"id": "r\"1", "inputs": inputs})
        answer = json.loads(text)
        assert status == 200 and headers["content-type"] == JSON, text
        assert (answer["model_name"], answer["model_version"], answer["id"]) == ("echo", "3", "r\"1")
        assert [(o["name"], o["datatype"], o["shape"]) for o in answer["outputs"]] == [
            ("probability", "FP64", [3]), ("margin", "FP64", [3]), ("decision", "BYTES", [3]), ("rule", "BYTES", [3])]
        assert outputs(text) == {"probability": [0.5, 1.0 - 1 / (1 + (2 ** 53 + 1) / 64), -3 / 64 / (1 - 3 / 64)], "margin": [1, (2 ** 53 + 1) / 64, -3 / 64],
                                 "decision": ["approve", "review", "approve"], "rule": ["", "much", ""]}, text
        status, _, text = ask(echo, {"inputs": inputs, "outputs": [{"name": "event_id"}, {"name": "margin"}]}, "/v2/models/echo/versions/3/infer")
        assert outputs(text)["event_id"] == ["64", str(2 ** 53 + 1), "-3"] and len(outputs(text)) == 2
        # the events are what the tensors say, to the last digit: their sizes are told by the engine
        event = "{\"id\":1,\"a\":1.10,\"b\":true,\"c\":null,\"d\":1e-7,\"e\":18446744073709551615}"
        status, _, text = ask(echo, "{\"inputs\":[" + ",".join(f"{{\"name\":\"{n}\",\"shape\":[1],\"datatype\":\"{t}\",\"data\":[{v}]}}" for n, t, v in (
            ("id", "INT8", "1"), ("a", "FP64", "1.10"), ("b", "BOOL", "true"), ("c", "BYTES", "null"), ("d", "FP32", "1e-7"), ("e", "UINT64", "18446744073709551615"))) + "]}")
        assert status == 200
        assert echo.ask("POST", "/v1/score", event)[2].endswith(f"\"bytes\":{len(event)}}}".encode())
        status, _, text = ask(echo, {"inputs": [tensor("id", "INT64", list(range(5000)))]})
        assert status == 200 and outputs(text)["margin"] == [i / 64 for i in range(5000)]


def binary_tensors():
    with Echo() as echo:
        def binary(tensors, asked=None, **parameters):
            """Tensors as (name, datatype, shape, bytes); the answer's outputs, binary ones as bytes."""
            head = {"inputs": [{"name": n, "datatype": t, "shape": s, "parameters": {"binary_data_size": len(b)}} for n, t, s, b in tensors]}
            if asked:
                head["outputs"] = asked
            if parameters:
                head["parameters"] = parameters
            text = json.dumps(head).encode()
            status, headers, body = ask(echo, text + b"".join(b for *_, b in tensors), kind="application/octet-stream",
                                        headers={"Inference-Header-Content-Length": str(len(text))})
            if status != 200:
                return status, json.loads(body)
            cut = int(headers.get("inference-header-content-length", len(body)))
            met, at = {}, cut
            for o in json.loads(body[:cut])["outputs"]:
                size = o.get("parameters", {}).get("binary_data_size")
                met[o["name"]] = o["data"] if size is None else body[at:at + size]
                at += size or 0
            assert at == len(body)
            return status, met
        texts = b"".join(struct.pack("<I", len(t)) + t for t in (b"a", "\u00fc\"\n".encode(), b""))
        rows = [("id", "INT32", [3], struct.pack("<3i", 1, -2, 2 ** 31 - 1)), ("card", "BYTES", [3, 1], texts),
                ("x", "FP64", [3], struct.pack("<3d", 0.1, math.nan, 1e300)), ("y", "FP32", [3], struct.pack("<3f", 0.1, math.inf, -0.0)),
                ("z", "BOOL", [3], b"\0\1\2"), ("u", "UINT64", [3], struct.pack("<3Q", 0, 1, 2 ** 64 - 1)), ("i", "INT8", [3], b"\x80\x7f\xff"),
                ("j", "INT16", [3], b"\0\x80\0\0\1\0"), ("k", "UINT16", [3], b"\xff\xff\0\0\1\0"), ("l", "INT64", [3], struct.pack("<3q", -2 ** 63, 0, 1))]
        status, met = binary(rows)
        assert status == 200 and met["margin"] == [1 / 64, -2 / 64, (2 ** 31 - 1) / 64], met
        status, met = binary(rows, [{"name": "margin", "parameters": {"binary_data": True}}, {"name": "decision"}, {"name": "event_id", "parameters": {"binary_data": True}}])
        assert struct.unpack("<3d", met["margin"]) == (1 / 64, -2 / 64, (2 ** 31 - 1) / 64) and met["decision"] == ["approve", "approve", "review"]
        assert met["event_id"] == b"\1\0\0\0001\2\0\0\0-2\n\0\0\0" + b"2147483647", met
        status, met = binary(rows, binary_data_output=True)
        assert met["rule"] == b"\0\0\0\0\0\0\0\0\4\0\0\0much" and all(isinstance(v, bytes) for v in met.values())
        event = "{\"id\":1,\"x\":0.1,\"y\":0.10000000149011612,\"i\":-128,\"card\":\"a\"}"
        binary([("id", "INT32", [1], b"\1\0\0\0"), rows[2][:2] + ([1], rows[2][3][:8]), rows[3][:2] + ([1], rows[3][3][:4]), ("i", "INT8", [1], b"\x80"),
                ("card", "BYTES", [1], texts[:5])])
        assert echo.ask("POST", "/v1/score", event)[2].endswith(f"\"bytes\":{len(event)}}}".encode())
        for tensors, code in (([("id", "INT32", [2], b"\1\0\0\0")], 400), ([("id", "INT32", [1], b"\1\0\0\0\0")], 400), ([("c", "BYTES", [1], b"\2\0\0\0a")], 400),
                              ([("c", "BYTES", [1], b"\1\0\0\0ab")], 400), ([("c", "BYTES", [1], b"\xff\xff\xff\xff")], 400), ([("c", "BYTES", [1], b"\1\0\0\0\xff")], 422),
                              ([("c", "BYTES", [2], b"\0\0\0\0")], 400), ([("id", "INT64", [2 ** 61], b"")], 400), ([("id", "INT64", [0], b"")], 400)):
            assert binary(tensors)[0] == code, (tensors, binary(tensors))
        for said in ("0", "-1", "9999", "x", "2"):
            status, _, _ = ask(echo, b"{\"inputs\":[]}", kind="application/octet-stream", headers={"Inference-Header-Content-Length": said})
            assert status == 400, said


def vectors():
    with Echo() as echo:
        def vector(data, datatype="FP64", shape=None, **more):
            return ask(echo, {"inputs": [tensor("vector", datatype, data, shape)], **more})
        status, _, text = vector([[1, 2.5, 3], [0.1, 0.2, 0.3]], shape=[2, 3])
        assert status == 200 and outputs(text) == {"probability": [3, 0.3], "margin": [6.5, 0.1 + 0.2 + 0.3]}, text
        assert outputs(vector([0.1, 0, 0.1], "FP32", [1, 3])[2])["probability"] == [0.10000000149011612]
        assert outputs(vector([1, None, 3], shape=[1, 3])[2])["margin"] == [None]
        assert [o for o in outputs(vector([1, 2, 3], shape=[1, 3], outputs=[{"name": "margin"}])[2])] == ["margin"]
        assert vector([1, 2, 3], shape=[1, 3], outputs=[{"name": "rule"}])[0] == 422
        assert vector([1, 2], shape=[1, 2])[0] == 422 and vector([1, 2, 3], "INT64", [1, 3])[0] == 422 and vector(["1", 2, 3], shape=[1, 3])[0] == 422
        status, _, text = vector([666, 2, 3], shape=[1, 3])
        assert status == 500 and json.loads(text)["error"] == "the device is lost"
        assert echo.count()["received"] == 0


def keys():
    """Idempotency-Key: the same bytes again, binary tensors too; another body, or another cut of it, is refused; what failed for good is kept as well."""
    with Echo() as echo:
        def with_key(key, body, head=None, path=INFER, **more):
            headers = {"Idempotency-Key": key, **({"Inference-Header-Content-Length": str(head)} if head else {})}
            return ask(echo, body, path, kind="application/octet-stream" if head else JSON, headers=headers, **more)
        row = {"inputs": [tensor("id", "INT64", [64, 65])]}
        binary = {**row, "outputs": [{"name": "margin", "parameters": {"binary_data": True}}, {"name": "decision"}]}
        for key, body in (("json", row), ("binary", binary), ("vector", {"inputs": [tensor("vector", "FP64", [1, 2, 3], [1, 3])], "parameters": {"binary_data_output": True}}),
                          ("rejected", {"inputs": [tensor("reject", "BYTES", ["x"])]}), ("malformed", "{")):
            first, again = with_key(key, body), with_key(key, body)
            assert first[0] == again[0] == {"rejected": 422, "malformed": 400}.get(key, 200) and first[2] == again[2], (first, again)
            kept = [headers.get(name) for _, headers, _ in (first, again) for name in ("content-type", "inference-header-content-length", "idempotency-key")]
            assert kept[:3] == kept[3:] and kept[2] == key and (kept[1] is not None) == (key in ("binary", "vector")), kept
            assert again[1]["idempotency-replayed"] == "true" and "idempotency-replayed" not in first[1]
        received = echo.count()["received"]
        assert received == 5, received
        for body, path in (({"inputs": [tensor("id", "INT64", [64])]}, INFER), (row, "/v2/models/echo/versions/3/infer")):
            status, _, text = with_key("json", body, path=path)
            assert status == 422 and json.loads(text)["reason"] == "key_reused", text
        assert with_key("json", row, path="/v1/score")[0] == 422, "another path is another request"
        text = json.dumps({"inputs": [{"name": "id", "datatype": "INT64", "shape": [1], "parameters": {"binary_data_size": 8}}]})
        body = text.encode() + struct.pack("<q", 7)
        assert [with_key("cut", body, at)[0] for at in (len(text), len(text), len(text) + 1)] == [200, 200, 422]
        for key in ("", "x" * 256):
            assert with_key(key, row)[0] == 400
        echo.say("unready for now")
        assert with_key("later", row)[0] == 503
        echo.say("ready")
        echo.say("pause")
        with echo.connect() as raw:  # the client goes before its answer: a repeat gets it
            raw.sendall(post(json.dumps(row), INFER, headers="Idempotency-Key: later\r\n"))
            echo.until("waits", lambda c: c["in_flight"] == 2)
            status, headers, _ = with_key("later", row)
            assert status == 409 and headers["retry-after"] == "1"
        echo.say("go")
        echo.until("worked", lambda c: c["bytes"] == 0)
        status, headers, text = with_key("later", row)
        assert status == 200 and headers["idempotency-replayed"] == "true" and outputs(text)["margin"] == [1, 65 / 64], text
        assert echo.count()["received"] == received + 1 + 2


def refusals():
    with Echo("--events", 100) as echo:
        good = tensor("id", "INT64", [1, 2])
        for body, code, field in (("{", 400, None), ("[]", 400, None), ({}, 400, "inputs"), ({"inputs": []}, 400, "inputs"), ({"inputs": 5}, 400, "inputs"),
                                  ({"inputs": [5]}, 400, None), ({"inputs": [{"name": "x"}]}, 400, "inputs"), ({"inputs": [good], "id": 5}, 400, "id"),
                                  ({"inputs": [good], "outputs": [{"name": "x"}]}, 422, "outputs"), ({"inputs": [good], "outputs": 1}, 400, "outputs"),
                                  ({"inputs": [good, {**good, "name": "b", "shape": [1], "data": [1]}]}, 400, "shape"), ({"inputs": [good, good]}, 400, "inputs"),
                                  ({"inputs": [{**good, "shape": [2, 2], "data": [1, 2, 3, 4]}]}, 400, "shape"), ({"inputs": [{**good, "shape": [3]}]}, 400, "data"),
                                  ({"inputs": [{**good, "shape": [1]}]}, 400, "data"), ({"inputs": [{**good, "shape": [-2]}]}, 400, "shape"),
                                  ({"inputs": [{**good, "shape": [2, 1, 1]}]}, 400, "shape"), ({"inputs": [{**good, "shape": []}]}, 400, "shape"),
                                  ({"inputs": [{**good, "datatype": "FP16"}]}, 400, "datatype"), ({"inputs": [{**good, "data": {"a": 1, "b": 2}}]}, 400, "data"),
                                  ({"inputs": [{**good, "data": [1, {}]}]}, 400, "data"), ({"inputs": [{**good, "data": [1, 2.5]}]}, 422, None),
                                  ({"inputs": [tensor("a", "INT8", [128])]}, 422, None), ({"inputs": [tensor("a", "UINT8", [-1])]}, 422, None),
                                  ({"inputs": [tensor("a", "BOOL", [1])]}, 422, None), ({"inputs": [tensor("a", "BYTES", [1])]}, 422, None),
                                  ({"inputs": [tensor("a", "INT64", list(range(101)))]}, 413, None), ({"inputs": [good] * 300}, 400, "inputs"),
                                  ({"inputs": [{**good, "name": ["a"]}]}, 400, "inputs"), ("{\"inputs\":[],\"inputs\":[]}", 400, None)):
            status, _, text = ask(echo, body)
            assert status == code and json.loads(text).get("field") == field, (body, status, text)
        status, _, text = ask(echo, {"inputs": [tensor("id", "INT64", [1, 2]), tensor("reject", "BYTES", ["", "below_min"]), tensor("field", "BYTES", ["", "amount"])]})
        assert status == 422 and json.loads(text) == {"error": "row 1: the event was rejected", "reason": "below_min", "field": "amount"}, text
        assert ask(echo, {"inputs": [good]}, "/v2/models/other/infer")[0] == 404 and ask(echo, {"inputs": [good]}, "/v2/models/echo/versions/4/infer")[0] == 404
        assert ask(echo, {"inputs": [good]}, kind="text/plain")[0] == 415
        assert ask(echo, "{\"inputs\":[" + "[" * 70 + "]" * 70 + "]}")[0] == 400
        echo.say("unready now")
        assert ask(echo, {"inputs": [good]})[0] == 503
        echo.say("ready")
        echo.until("given back", lambda c: c["bytes"] == 0)


def metadata():
    with Echo() as echo:
        def get(path):
            status, _, text = echo.ask("GET", path)
            return status, json.loads(text)
        assert get("/v2")[1]["extensions"] == ["binary_tensor_data"]
        status, model = get("/v2/models/echo")
        assert status == 200 and model == get("/v2/models/echo/versions/3")[1] and model["versions"] == ["3"]
        assert model["inputs"][2] == {"name": "card", "datatype": "BYTES", "shape": [-1]}
        assert [o["name"] for o in model["outputs"]] == ["probability", "margin", "decision", "rule", "event_id"]
        assert get("/v2/models/echo/ready")[0] == get("/v2/models/echo/versions/3/ready")[0] == 200
        assert get("/v2/models/ech")[0] == get("/v2/models/echo/versions/2")[0] == get("/v2/models/echoo/ready")[0] == 404


def client():
    try:
        import numpy
        import tritonclient.http as triton
    except ImportError as missing:
        print(f"the requests by hand pass; without a client from PyPI: {missing} (python/requirements-test.txt)")
        sys.exit(77)
    with Echo() as echo:
        c = triton.InferenceServerClient(f"127.0.0.1:{echo.port}")
        assert c.is_server_live() and c.is_server_ready() and c.is_model_ready("echo") and c.is_model_ready("echo", "3")
        assert c.get_server_metadata()["name"] == "ride" and c.get_model_metadata("echo")["platform"] == "ride"
        for binary in (False, True):
            inputs = []
            for name, kind, array in (("id", "INT64", numpy.array([1, 2, 2 ** 53 + 1])), ("card", "BYTES", numpy.array([["a"], ["\u00fc\"x"], [""]], dtype=object)),
                                      ("amount", "FP64", numpy.array([1.1, 2.25, 1e300]))):
                inputs.append(triton.InferInput(name, list(array.shape), kind))
                inputs[-1].set_data_from_numpy(array, binary_data=binary)
            for asked in (None, [triton.InferRequestedOutput(n, binary_data=b) for n, b in (("event_id", binary), ("margin", not binary), ("rule", True))]):
                r = c.infer("echo", inputs, outputs=asked, request_id="r1")
                assert r.get_response()["id"] == "r1"
                assert numpy.array_equal(r.as_numpy("margin"), numpy.array([1, 2, 2 ** 53 + 1]) / 64)
                assert r.as_numpy("rule").tolist() == [b"", b"", b"much"]
                if asked:
                    assert [t if isinstance(t, str) else t.decode() for t in r.as_numpy("event_id").tolist()] == ["1", "2", "9007199254740993"]
            v = triton.InferInput("vector", [2, 3], "FP32")
            v.set_data_from_numpy(numpy.arange(6, dtype=numpy.float32).reshape(2, 3), binary_data=binary)
            assert c.infer("echo", [v]).as_numpy("margin").tolist() == [3.0, 12.0]
        try:
            c.infer("other", inputs)
            raise AssertionError("an unknown model answered")
        except triton.InferenceServerException as error:
            assert error.status() == "404" and "there is no model other" in error.message()


if __name__ == "__main__":
    run([json_tensors, binary_tensors, vectors, keys, refusals, metadata, client])
