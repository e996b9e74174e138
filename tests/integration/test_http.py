"""The HTTP endpoints as clients meet them: forms, codes, limits, back-pressure, keys, tokens, TLS, start and stop. The engine
is one that pretends (tests/support/http_echo_main.c); numbers of one answer each. Also with curl."""
import json
import shutil
import socket
import ssl
import subprocess
import tempfile
import warnings
from pathlib import Path

from http_echo import JSON, LINES, PROGRAM, Echo, post, read_answer, run

BIG = 1 << 20


def ids(records):
    return [r.get("id") for r in records]


def forms():
    """One event, an array, lines: answers in the form and order of the request, also when the engine answers in another."""
    with Echo() as echo:
        status, headers, record = echo.score({"id": 17})
        assert (status, record["id"], headers["content-type"]) == (200, 17, JSON), (status, record)
        for _ in range(2):
            events = [{"id": i, "pad": i % 700} for i in range(1000)] + [{"reject": "below_min", "field": "amount"}, 5]
            status, headers, body = echo.ask("POST", "/v1/score", json.dumps(events, indent=1))
            records = json.loads(body)
            assert status == 200 and ids(records[:1000]) == list(range(1000)), status
            assert records[1000] == {"error": "the event was rejected", "reason": "below_min", "field": "amount"}, records[1000]
            assert records[1001]["reason"] == "bad_json"
            lines = "\n".join(map(json.dumps, events)) + "\n\n \n{\"id\":\"last\"}"
            status, headers, body = echo.ask("POST", "/v1/score", lines, LINES)
            assert status == 200 and headers["content-type"] == LINES and body.endswith(b"\n")
            assert ids(json.loads(line) for line in body.splitlines())[:1002] == ids(records)
            assert json.loads(body.splitlines()[1002])["id"] == "last" and body.count(b"\n") == 1003
            assert echo.say("reverse") == "ok"
        echo.until("given back", lambda c: c["bytes"] == 0)


def rejections():
    with Echo() as echo:
        status, _, error = echo.score({"reject": "below_min", "field": "amount"})
        assert status == 422 and error == {"error": "the event was rejected", "reason": "below_min", "field": "amount"}
        for text in ("{", "5", "x", "{\"id\":1} {\"id\":2}", "[" * 100 + "1" + "]" * 100, "{\"id\":01}", b"{\"id\":\"\xff\"}"):
            status, _, error = echo.score(text)
            assert status == 400, (text, status, error)
        for text, reason in (("", "no_event"), (" \n", "no_event"), ("[]", "no_event"), ("[1,2", "bad_json"), ("[1]]", "bad_json"),
                             ("[" * 99, "bad_json")):
            status, _, error = echo.score(text)
            assert status == 400 and error["reason"] == reason, (text, status, error)


def codes():
    """What no handler is asked about."""
    with Echo("--header", 4096) as echo:
        def code(method, path, **more):
            status, headers, body = echo.ask(method, path, **more)
            if status >= 400 and method != "HEAD":
                assert {"error", "reason"} <= json.loads(body).keys() and headers["content-type"] == JSON, body
            return status, headers
        assert code("GET", "/v1/nothing")[0] == 404
        status, headers = code("GET", "/v1/score")
        assert status == 405 and headers["allow"] == "POST, OPTIONS"
        status, headers = code("OPTIONS", "/v1/score")
        assert status == 204 and headers["allow"] == "POST, OPTIONS"
        assert code("DELETE", "/v2/models/echo/infer")[0] == 405 and code("BREW", "/v1/score")[0] == 405
        assert code("POST", "/v1/score", body="{}", kind="text/plain")[0] == 415
        assert code("POST", "/v1/score", body="{}", headers={"Content-Encoding": "gzip"})[0] == 415
        assert code("POST", "/v1/score", body="{\"id\":1}", kind="Application/JSON; charset=utf-8")[0] == 200
        assert code("POST", "/v1/score", body="{\"id\":1}", kind=None)[0] == 200
        assert code("GET", "/v2", headers={"X": "a" * 5000})[0] == 431
        assert code("POST", "/v1/score", body=b"1" * (BIG + 1))[0] == 413
        assert code("POST", "/v1/score", body=b"[" + b" " * (BIG - 9) + b"{\"id\":1}")[0] == 400
        status, headers, body = echo.ask("HEAD", "/v2")
        assert status == 200 and body == b"" and int(headers["content-length"]) > 10
        for text, expected in ((b"POST /v1/score HTTP/1.1\r\nHost: x\r\n\r\n", 411), (b"GET /v2 HTTP/1.1\r\n\r\n", 400), (b"GET /v2 HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", 400),
                               (b"GET /v2 HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 40000 + b"\r\n\r\n", 431),
                               (b"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Length: 1x\r\n\r\n{", 400),
                               (b"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n{", 400),
                               (b"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n{", 413),
                               (b"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n{", 413),
                               (b"POST /v1/score HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n1\r\n{\r\n0\r\n\r\n", 400),
                               (b"POST /v1/score HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
                               (b"GET /v2 HTTP/3.9\r\nHost: x\r\n\r\n", 505)):
            with echo.connect() as raw:
                try:
                    raw.sendall(text)
                    raw.shutdown(socket.SHUT_WR)
                    answer = read_answer(raw.makefile("rb"))
                except OSError:  # the end of a connection with more to read overtakes its answer
                    assert len(text) > 10000, text[:60]
                    continue
                assert answer is not None and answer[0] == expected, (text[:60], answer)


def connections():
    """Keep-alive, pipelining, a body in pieces and in chunks, 100-continue, an end of sending before the answer."""
    with Echo() as echo, echo.connect() as raw:
        stream = raw.makefile("rb")
        for i in range(200):
            raw.sendall(post(f"{{\"id\":{i}}}") if i % 5 else post("x", path="/nowhere"))
            status, headers, body = read_answer(stream)
            assert (status == 200 and json.loads(body)["id"] == i) if i % 5 else status == 404
            assert "connection" not in headers, headers
        raw.sendall(b"".join(post(f"{{\"id\":{i}}}") for i in range(50)))
        assert [json.loads(read_answer(stream)[2])["id"] for _ in range(50)] == list(range(50))
        text = post("[" + ",".join(f"{{\"id\":{i}}}" for i in range(300)) + "]")
        for at in range(0, len(text), 97):
            raw.sendall(text[at:at + 97])
        assert len(json.loads(read_answer(stream)[2])) == 300
        chunked = b"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        raw.sendall(chunked + b"4\r\n{\"id\r\n3;x=y\r\n\":7\r\n1\r\n}\r\n0\r\n\r\n")
        assert json.loads(read_answer(stream)[2])["id"] == 7
        asks = b"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: "
        raw.sendall(asks + b"8\r\n\r\n")
        assert stream.readline() == b"HTTP/1.1 100 Continue\r\n" and stream.readline() == b"\r\n"
        raw.sendall(b"{\"id\":8}")
        assert json.loads(read_answer(stream)[2])["id"] == 8
        raw.sendall(asks + b"8000000\r\n\r\n")
        assert stream.readline() == b"HTTP/1.1 413 Content Too Large\r\n"
        with echo.connect() as half:
            half.sendall(post("{\"id\":9}"))
            half.shutdown(socket.SHUT_WR)
            assert json.loads(read_answer(half.makefile("rb"))[2])["id"] == 9
        with echo.connect() as old:
            old.sendall(b"POST /v1/score HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{\"id\":6}")
            stream = old.makefile("rb")
            assert json.loads(read_answer(stream)[2])["id"] == 6 and stream.read() == b""


def events():
    with Echo() as echo:
        status, _, body = echo.ask("POST", "/v1/events", json.dumps([{"id": i} for i in range(100)]))
        assert status == 202 and json.loads(body) == {"accepted": 100}
        echo.until("worked", lambda c: c["released"] == 100 and c["bytes"] == 0)
        assert echo.ask("POST", "/v1/events", "[1")[0] == 400


def back_pressure():
    """Full in events, full in bytes, too many in a request: told, all or nothing, and over when it is."""
    with Echo("--queue", 8, "--events", 6, "--memory", 256 << 10) as echo:
        echo.say("pause")
        take = json.dumps([{"id": i} for i in range(5)])
        assert echo.ask("POST", "/v1/events", take)[0] == 202
        status, headers, body = echo.ask("POST", "/v1/events", take)
        assert status == 429 and headers["retry-after"] == "1" and json.loads(body)["reason"] == "queue_full", body
        assert echo.ask("POST", "/v1/events", json.dumps([1, 2, 3]))[0] == 202
        assert echo.score({"id": 1})[0] == 429
        assert echo.ask("POST", "/v1/score", json.dumps(list(range(7))))[0] == 413
        assert echo.count()["in_flight"] == 8
        echo.say("go")
        echo.until("worked", lambda c: c["in_flight"] == 0)
        assert echo.score({"id": 1})[0] == 200
        echo.say("pause")
        codes_met = [echo.ask("POST", "/v1/events", json.dumps({"id": i, "x": "y" * 60000}))[0] for i in range(6)]
        assert codes_met[0] == 202 and codes_met[-1] == 429, codes_met
        echo.say("go")
        echo.until("worked", lambda c: c["bytes"] == 0)
        status, _, body = echo.ask("POST", "/v1/score", json.dumps([{"id": 1, "pad": 400000}, {"id": 2}]))
        assert status == 200 and [*json.loads(body)[0]] == ["error"] and json.loads(body)[1]["id"] == 2, body
        echo.until("given back", lambda c: c["bytes"] == 0)


def readiness():
    with Echo() as echo:
        status, _, body = echo.ask("GET", "/readyz", admin=True)
        assert status == 503 and json.loads(body) == {"ready": False, "parts": [
            {"part": "model", "ready": True}, {"part": "kafka", "ready": False, "why": "no broker"}]}
        assert echo.ask("GET", "/healthz", admin=True)[2] == b"ok\n"
        assert echo.score({"id": 1})[0] == 200  # a source of the stream is no part of scoring
        echo.say("unready the \"model\" is being replaced")
        status, headers, error = echo.score({"id": 1})
        assert status == 503 and headers["retry-after"] == "1" and error["reason"] == "not_ready", error
        assert error["error"] == "model: the \"model\" is being replaced"
        assert echo.ask("GET", "/v2/health/ready")[0] == 503 and echo.ask("GET", "/v2/models/echo/ready")[0] == 503
        assert echo.ask("GET", "/v2/health/live")[0] == 200
        echo.say("ready")
        assert echo.score({"id": 1})[0] == 200 and echo.ask("GET", "/v2/health/ready")[0] == 200


def keys():
    """Idempotency-Key: the same bytes again; another body is refused; the first one is waited for."""
    with Echo() as echo:
        def with_key(key, body, **more):
            return echo.ask("POST", "/v1/score", body, headers={"Idempotency-Key": key}, **more)
        first, again = with_key("a", "{\"id\":1}"), with_key("a", "{\"id\":1}")
        assert first[0] == again[0] == 200 and first[2] == again[2] and again[1]["idempotency-replayed"] == "true"
        assert first[1]["idempotency-key"] == "a" and "idempotency-replayed" not in first[1]
        assert with_key("a", "{\"id\":2}")[0] == 422 and with_key("", "{}")[0] == 400 and with_key("x" * 256, "{}")[0] == 400
        assert with_key("bad", "{\"reject\":\"x\"}")[2] == with_key("bad", "{\"reject\":\"x\"}")[2]
        lines = "\n".join(f"{{\"id\":{i}}}" for i in range(100))
        assert with_key("l", lines, kind=LINES)[2] == with_key("l", lines, kind=LINES)[2]
        assert echo.count()["received"] == 102
        echo.say("unready for now")
        assert with_key("later", "{\"id\":5}")[0] == 503
        echo.say("ready")
        echo.say("pause")
        with echo.connect() as raw:
            raw.sendall(post("{\"id\":5}", headers="Idempotency-Key: later\r\n"))
            echo.until("waits", lambda c: c["in_flight"] == 1)
            status, headers, _ = with_key("later", "{\"id\":5}")
            assert status == 409 and headers["retry-after"] == "1"
            echo.say("go")
            assert read_answer(raw.makefile("rb"))[2] == with_key("later", "{\"id\":5}")[2]
        echo.say("pause")
        with echo.connect() as raw:  # the client goes before its answer: a repeat gets it
            raw.sendall(post("{\"id\":6}", headers="Idempotency-Key: gone\r\n"))
            echo.until("waits", lambda c: c["in_flight"] == 1)
        echo.say("go")
        echo.until("worked", lambda c: c["bytes"] == 0)
        assert with_key("gone", "{\"id\":6}")[1]["idempotency-replayed"] == "true"


def cloud_events():
    cloud, batch = "application/cloudevents+json", "application/cloudevents-batch+json; charset=utf-8"
    envelope = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "time": "2026-01-01T00:00:00Z"}
    with Echo() as echo:
        def code(event, kind=cloud):
            status, _, body = echo.ask("POST", "/v1/score", event if isinstance(event, str) else json.dumps(event), kind)
            return status, json.loads(body)
        assert code({**envelope, "data": {"id": 3}})[1]["id"] == 3
        assert code({**envelope, "datacontenttype": "application/x+json;v=1", "data": {"id": 3}})[0] == 200
        assert code({**envelope, "data_base64": "eyJpZCI6MTh9"})[1]["id"] == 18
        assert code(json.dumps({**envelope, "data_base64": "eyJpZCI6Ij8/PyJ9"}).replace("/P", "\\/P"))[1]["id"] == "???"
        assert ids(code([{**envelope, "data": {"id": i}} for i in range(9)], batch)[1]) == list(range(9))
        for event, field in (({**envelope, "data": {}, "specversion": "0.3"}, "specversion"), ({"data": {}, **envelope, "id": ""}, "id"),
                             ({**envelope}, "data"), ({**envelope, "data": {}, "data_base64": ""}, "data"),
                             ({**envelope, "data_base64": "eyJp*CI6MTh9"}, "data_base64"), ({**envelope, "data_base64": "e"}, "data_base64"),
                             ({**envelope, "data": {}, "datacontenttype": "text/xml"}, "datacontenttype"),
                             (json.dumps({**envelope, "data": {}})[:-1] + ",\"id\":\"2\"}", "id")):
            status, error = code(event)
            assert status == 422 and error["field"] == field, (event, status, error)
        assert code([{**envelope, "data": {}}, {"id": 1}], batch)[0] == 422 and code([1], batch)[0] == 400 and code("{", cloud)[0] == 400
        assert code({**envelope}, batch)[0] == 400
        headers = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t"}
        assert echo.score({"id": 4}, headers=headers)[2]["id"] == 4
        assert echo.score("[{\"id\":4}]", headers=headers)[0] == 400  # one event
        assert echo.score({"id": 4}, headers={**headers, "ce-type": ""})[2]["field"] == "ce-type"
        assert echo.score({"id": 4}, headers={**headers, "ce-specversion": "2.0"})[0] == 422
        assert echo.score({"id": 4}, headers=headers, kind="text/xml")[0] == 415


def tokens():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tokens"
        path.write_text("# ours\n0123456789abcdef\n\n")
        with Echo("--token", path) as echo:
            def code(token, path="/v1/score"):
                return echo.ask("POST", path, "{\"id\":1}", headers={"Authorization": token} if token else {})
            status, headers, body = code(None)
            assert status == 401 and headers["www-authenticate"] == "Bearer realm=\"ride\"", headers
            assert code("Bearer 0123456789abcdeF")[1]["www-authenticate"].endswith("error=\"invalid_token\"")
            for wrong in ("Bearer", "Bearer ", "Basic 0123456789abcdef", "Bearer 0123456789abcde", "Bearer 0123456789abcdef0", "Bearer " + "a" * 600):
                assert code(wrong)[0] == 401, wrong
            assert code("Bearer 0123456789abcdef")[0] == 200 and code("bearer  0123456789abcdef")[0] == 200
            assert code(None, "/nowhere")[0] == 401 and echo.ask("GET", "/metrics", admin=True)[0] == 401
            assert echo.ask("GET", "/healthz", admin=True)[0] == 200 and echo.ask("GET", "/v2/health/live")[0] == 200
            path.write_text("0123456789abcdef\nfedcba9876543210")
            assert code("Bearer fedcba9876543210")[0] == 401 and echo.say("reload") == "ok"
            assert code("Bearer fedcba9876543210")[0] == code("Bearer 0123456789abcdef")[0] == 200
            path.write_text("short\n")
            assert echo.say("reload").startswith("failed a token has 5 characters")
            assert code("Bearer fedcba9876543210")[0] == 200
            path.write_text("fedcba9876543210\n")
            assert echo.say("reload") == "ok" and code("Bearer 0123456789abcdef")[0] == 401


def tls():
    with tempfile.TemporaryDirectory() as folder:
        pem = {}
        for name in ("a", "b"):
            pem[name] = (f"{folder}/{name}.crt", f"{folder}/{name}.key")
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-out", pem[name][0], "-keyout", pem[name][1]],
                           check=True, capture_output=True)
        with Echo("--certificate", pem["a"][0], "--key", pem["a"][1]) as echo:
            context = ssl.create_default_context(cafile=pem["a"][0])
            with echo.connect() as plain, context.wrap_socket(plain, server_hostname="localhost") as secure:
                assert secure.version() == "TLSv1.3"
                stream = secure.makefile("rb")
                lines = post("\n".join(f"{{\"id\":{i},\"pad\":400}}" for i in range(2000)), kind=LINES)
                for i in range(20):
                    secure.sendall(post(f"{{\"id\":{i}}}"))
                    assert json.loads(read_answer(stream)[2])["id"] == i
                secure.sendall(lines)
                assert read_answer(stream)[2].count(b"\n") == 2000
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            with echo.connect() as plain, context.wrap_socket(plain, server_hostname="localhost") as secure:
                assert secure.version() == "TLSv1.2"
            try:
                warnings.simplefilter("ignore", DeprecationWarning)
                old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                old.set_ciphers("DEFAULT:@SECLEVEL=0")
                old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
                old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
                with echo.connect() as plain, old.wrap_socket(plain):
                    raise AssertionError("TLS 1.1 was taken")
            except (ssl.SSLError, ConnectionError):
                pass
            with echo.connect() as plain:
                plain.sendall(post("{}"))
                try:
                    assert not plain.recv(100).startswith(b"HTTP")
                except ConnectionError:
                    pass
        for options, words in ((("--certificate", pem["a"][0], "--key", pem["b"][1]), "not a pair"),
                               (("--certificate", pem["a"][0]), "both a certificate and a key"),
                               (("--certificate", f"{folder}/none", "--key", pem["a"][1]), "No such file"),
                               (("--certificate", __file__, "--key", pem["a"][1]), "no PEM")):
            refused(78, words, *options)


def refused(code, words, *options):
    ended = subprocess.run([PROGRAM, *map(str, options)], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert ended.returncode == code and words in ended.stderr, (options, ended)


def starts():
    with Echo() as echo:
        refused(69, "another process has this port", "--listen", f"127.0.0.1:{echo.port}")
    for address in ("8080", "127.0.0.1", "::1:80", "[::1]", "127.0.0.1:x", ":80", "127.0.0.1:"):
        refused(78, "no address and port", "--listen", address)
    refused(78, "cannot listen on", "--listen", "no.such.host.invalid:1")
    refused(69, "cannot listen on", "--listen", "192.0.2.1:1")
    refused(78, "cannot open the file of tokens", "--token", "/nonexistent/tokens")
    refused(78, "connections need", "--connections", 1000000000)
    with Echo("--listen", "*:0") as echo:
        assert echo.score({"id": 1})[0] == 200


def metrics():
    with Echo() as echo:
        for _ in range(7):
            echo.score({"id": 1})
        echo.score({"reject": "x"})
        echo.ask("GET", "/nothing")
        with echo.connect() as raw:
            raw.sendall(b"GET /v2 HTTP/1.1\r\nno colon\r\n\r\n")
            raw.recv(100)
        status, headers, body = echo.ask("GET", "/metrics", admin=True)
        assert status == 200 and headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        values = dict(line.rsplit(" ", 1) for line in body.decode().splitlines() if not line.startswith("#"))
        for series, value in (("requests_total{endpoint=\"score\",code=\"200\"}", "7"), ("requests_total{endpoint=\"score\",code=\"422\"}", "1"),
                              ("requests_total{endpoint=\"other\",code=\"404\"}", "1"), ("requests_total{endpoint=\"other\",code=\"400\"}", "1"),
                              ("request_seconds_count{endpoint=\"score\"}", "8"), ("connections{listener=\"admin\"}", "1")):
            assert values["ride_http_" + series] == value, (series, values.get("ride_http_" + series))
        assert values["ride_ready{part=\"model\"}"] == "1" and values["ride_ready{part=\"kafka\"}"] == "0" == values["ride_ready{part=\"all\"}"]
        if shutil.which("promtool"):
            said = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True, check=False)
            assert said.returncode == 0, said


def stops():
    """A stop answers whoever waits with 503, and gives everything back."""
    with Echo() as echo:
        echo.say("pause")
        raws = [echo.connect() for _ in range(5)]
        for i, raw in enumerate(raws):
            raw.sendall(post("[" + ",".join("{}" for _ in range(i + 1)) + "]") if i % 2 else post("{\"id\":1}"))
        echo.ask("POST", "/v1/events", "[1,2,3]")
        echo.until("taken", lambda c: c["in_flight"] == 12)
        idle = echo.connect()
        echo.process.send_signal(15)
        for raw in raws:
            status, headers, body = read_answer(raw.makefile("rb"))
            assert status == 503 and headers["retry-after"] == "1" and json.loads(body)["reason"] in ("stopping", "unavailable"), body
            raw.close()
        assert echo.stop() == {"received": 0, "rejected": 0, "released": 0}
        assert idle.recv(10) == b""


def goes():
    """Clients that go while they are waited for, in the middle of a body, with an answer half read."""
    with Echo() as echo:
        echo.say("pause")
        for _ in range(20):
            with echo.connect() as raw:
                raw.sendall(post("[{\"id\":1},{\"id\":2}]"))
            with echo.connect() as raw:
                raw.sendall(post("{\"id\":1}")[:-3])
            with echo.connect() as raw:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset
                raw.sendall(post("[{\"id\":1},{\"id\":2}]"))
        echo.until("taken", lambda c: c["in_flight"] >= 40)
        echo.say("go")
        with echo.connect() as raw:
            raw.sendall(post("[" + ",".join("{\"id\":1,\"pad\":30000}" for _ in range(900)) + "]"))
            raw.recv(1000)
        echo.until("over", lambda c: c["in_flight"] == 0 and c["bytes"] == 0)
        assert echo.score({"id": 1})[0] == 200


def curl():
    if not shutil.which("curl"):
        print("  curl is not installed")
        return
    with Echo() as echo, tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / "events"
        lines.write_text("".join(f"{{\"id\":{i}}}\n" for i in range(5000)))
        url = f"http://127.0.0.1:{echo.port}"
        def out(*options):
            return subprocess.run(["curl", "-sS", *options], capture_output=True, check=True).stdout
        assert out(f"{url}/v1/score", "--json", "{\"id\":1}").startswith(b"{\"id\":1,")
        assert out(f"{url}/v1/score", "-H", f"Content-Type: {LINES}", "--data-binary", f"@{lines}").count(b"\n") == 5000
        big = Path(folder) / "big"
        big.write_bytes(b" " * (3 * BIG))
        assert out(f"{url}/v1/score", "--json", f"@{big}", "-o", "/dev/null", "-w", "%{http_code}") == b"413"
        assert out(f"{url}/v1/score", "--json", f"@{big}", "-H", "Expect:", "-o", "/dev/null", "-w", "%{http_code}") == b"413"
        assert out(f"{url}/v1/score", "--json", f"@{big}", "-H", "Transfer-Encoding: chunked", "-o", "/dev/null", "-w", "%{http_code}") == b"413"
        assert b"Allow: GET, HEAD, OPTIONS" in out("-i", "-X", "POST", "-d", "", f"{url}/v2")


if __name__ == "__main__":
    run([forms, rejections, codes, connections, events, back_pressure, readiness, keys, cloud_events, tokens, tls, starts, metrics, stops,
         goes, curl])
