# ride-test: timeout=1800
# ride-test: waits
"""Clients that the HTTP server must outlive: slow ones, idle ones, ten times too many requests, and requests at random
(RIDE_HTTP_RANDOM of them, default 3,000; RIDE_HTTP_SEED). Bounds hold and every request has an answer or an end; how fast is not tested."""
import json
import os
import random
import selectors
import socket
import time

from http_echo import LINES, WAIT_S, Echo, post, read_answer, run

RANDOM, SEED = int(os.environ.get("RIDE_HTTP_RANDOM", "3000")), int(os.environ.get("RIDE_HTTP_SEED", time.time_ns() % 1000000))


def until_closed(raw):
    """Reads to the end; what came."""
    raw.settimeout(WAIT_S)
    got = b""
    try:
        while piece := raw.recv(1 << 16):
            got += piece
    except ConnectionError:
        pass
    return got


def drip(echo, raws, piece, turns_max):
    """Sends a byte on each connection again and again until all are cut; others are answered meanwhile."""
    left = set(raws)
    for _ in range(turns_max):
        for raw in list(left):
            try:
                raw.sendall(piece)
                raw.setblocking(False)
                if raw.recv(1) == b"":
                    left.discard(raw)
            except BlockingIOError:
                pass
            except ConnectionError:
                left.discard(raw)
            finally:
                raw.setblocking(True)
        assert echo.score({"id": 1})[0] == 200
        if not left:
            return
        time.sleep(0.05)
    raise AssertionError(f"{len(left)} of {len(raws)} are still there")


def slow_clients():
    """A head or a body that comes byte by byte ends with the time for it, however busy it looks; so does an answer that nobody takes."""
    with Echo("--idle-ms", 700, "--connections", 64) as echo:
        heads = [echo.connect() for _ in range(10)]
        for raw in heads:
            raw.sendall(b"POST /v1/score HTTP/1.1\r\nHost: x\r\nX: ")
        drip(echo, heads, b"a", 1200)
        bodies = [echo.connect() for _ in range(10)]
        for raw in bodies:
            raw.sendall(b"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
        drip(echo, bodies, b"a", 1200)
        again = echo.connect()  # a second request on a connection is no other matter
        again.sendall(post("{\"id\":1}"))
        assert read_answer(again.makefile("rb"))[0] == 200
        drip(echo, [again], b"P", 1200)
        readers = [socket.socket() for _ in range(5)]
        for raw in readers:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.connect(("127.0.0.1", echo.port))
            raw.sendall(post("\n".join("{\"id\":1,\"pad\":20000}" for _ in range(400)), kind=LINES))
        echo.until("their memory is free", lambda c: c["received"] >= 2000 and c["bytes"] == 0)
        for raw in readers:
            assert len(until_closed(raw)) < 8000000
        assert echo.score({"id": 1})[0] == 200


def idle_connections():
    """At the limit the connection idle longest makes room; those that are at work stay."""
    with Echo("--connections", 20) as echo:
        idle = [echo.connect() for _ in range(19)]
        busy = echo.connect()
        echo.say("pause")
        time.sleep(1.2)  # idle for more than a second
        busy.sendall(post("{\"id\":5}"))
        echo.until("waits", lambda c: c["in_flight"] == 1)
        echo.say("go")
        assert json.loads(read_answer(busy.makefile("rb"))[2])["id"] == 5
        for i in range(40):
            assert echo.score({"id": i})[0] == 200
        for raw in idle:
            raw.close()


def resident_bytes(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmRSS"))


def overload():
    """Far more than the engine works: answered or refused at the door, nothing lost, memory under its bound."""
    memory = 4 << 20
    with Echo("--queue", 64, "--delay-us", 20000, "--memory", memory, "--connections", 300) as echo:
        before = resident_bytes(echo.process)
        selector, met, sent, most = selectors.DefaultSelector(), {}, 0, 0
        for i in range(200):
            raw = echo.connect()
            selector.register(raw, selectors.EVENT_READ, raw.makefile("rb"))
            raw.sendall(post(json.dumps([{"id": k, "x": "y" * 3000} for k in range(i % 4 + 1)])))
            sent += 1
        total = 6000
        while sum(met.values()) < total:
            for key, _ in selector.select(WAIT_S):
                status, headers, _ = read_answer(key.data)
                met[status] = met.get(status, 0) + 1
                assert status == 200 or headers["retry-after"] == "1", (status, headers)
                if sent < total:
                    key.fileobj.sendall(post(json.dumps([{"id": k, "x": "y" * 3000} for k in range(sent % 4 + 1)])))
                    sent += 1
            if sum(met.values()) % 500 < 20:
                most = max(most, echo.count()["in_flight"])
        assert set(met) == {200, 429} and met[200] > 50 and met[429] > met[200], met
        assert most <= 64, most
        echo.until("over", lambda c: c["in_flight"] == 0 and c["bytes"] == 0)
        grown = resident_bytes(echo.process) - before
        assert grown < 2 * memory + (64 << 20), grown
        print(f"  answers {met}, memory grew by {grown >> 20} MiB")


def hoarders():
    """Bodies that never end take the memory of requests only as far as they came, and give it back."""
    with Echo("--memory", 1 << 20, "--idle-ms", 20000, "--connections", 400) as echo:
        raws = [echo.connect() for _ in range(200)]
        for raw in raws:
            raw.sendall(b"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n{")
        assert echo.score({"id": 1})[0] in (200, 429)
        count = echo.count()
        assert count["bytes"] <= 1 << 20, count
        for raw in raws:
            raw.close()
        echo.until("given back", lambda c: c["bytes"] == 0)
        assert echo.score({"id": 1})[0] == 200


# ---- requests at random ----
def some(r, *choices):
    return r.choice(choices)


def random_json(r, depth=0):
    kind = r.randrange(9 if depth < 4 else 6)
    if kind < 6:
        return [r.randrange(10 ** r.randrange(1, 25)), r.random(), r.choice(["", "a", "\u00fc\u2028\"\\", "x" * r.randrange(300)]), None, True, -1][kind]
    if kind == 6:
        return [random_json(r, depth + 1) for _ in range(r.randrange(5))]
    return {r.choice(["id", "reject", "field", "pad", "data", "a\"b"]): random_json(r, depth + 1) for _ in range(r.randrange(5))}


def random_tensors(r):
    n = r.randrange(4)
    def tensor():
        kind = some(r, "BOOL", "INT8", "INT64", "UINT64", "FP32", "FP64", "BYTES", "FP16", 5)
        data = [r.choice([True, 1, 2 ** 63, -1, 0.5, "x", None, [1], {}]) for _ in range(n + some(r, 0, 0, 0, 1))]
        t = {"name": some(r, "id", "vector", "x", "", 3), "datatype": kind, "shape": some(r, [n], [n, 1], [n, 3], [], [-1], [2 ** 40, 2 ** 30], "x"), "data": data}
        if r.random() < 0.3:
            t["parameters"] = {"binary_data_size": some(r, n * 8, n, 0, -1, 2 ** 33, "x")}
        for key in list(t):
            if r.random() < 0.05:
                del t[key]
        return t
    body = {"inputs": [tensor() for _ in range(r.randrange(4))]}
    if r.random() < 0.4:
        body["outputs"] = [{"name": some(r, "margin", "rule", "event_id", "none"), "parameters": {"binary_data": some(r, True, False, 1)}} for _ in range(r.randrange(4))]
    if r.random() < 0.2:
        body["id"] = some(r, "x", "\u00fc\"", 5, "y" * 500)
    return body


def random_body(r):
    kind = r.randrange(6)
    if kind == 0:
        return "\n".join(json.dumps(random_json(r)) for _ in range(r.randrange(30))).encode()
    if kind == 1:
        return json.dumps({"specversion": "1.0", "id": "1", "source": "s", "type": some(r, "t", ""), some(r, "data", "data_base64"): random_json(r)}).encode()
    if kind == 2:
        text = json.dumps(random_tensors(r)).encode()
        return text + r.randbytes(r.randrange(40)) if r.random() < 0.3 else text
    if kind == 3:
        return r.randbytes(r.randrange(200))
    return json.dumps(random_json(r)).encode()


def mutated(r, data):
    data = bytearray(data)
    for _ in range(r.randrange(1, 6)):
        if not data:
            break
        at = r.randrange(len(data))
        how = r.randrange(4)
        if how == 0:
            data[at] = r.randrange(256)
        elif how == 1:
            del data[at:at + r.randrange(1, 9)]
        elif how == 2:
            data[at:at] = r.choice([b"\r\n", b"\0", b"[", b"}", b"\"", b"\xff", b": ", b"9" * 30])
        else:
            data[at:at] = data[at:at + r.randrange(60)]
    return bytes(data)


def random_request(r):
    body = random_body(r)
    method = some(r, *["POST"] * 12, "GET", "HEAD", "PUT", "OPTIONS", "G\0T", "")
    path = some(r, *["/v1/score"] * 5, *["/v2/models/echo/infer"] * 3, "/v1/events", "/v2/models/echo/versions/3/infer", "/v2", "/v2/models/x/infer", "/", "*",
                "/v1/score?x=%00", "/%2e%2e/", "/v2/models//infer", "http://x/v1/score", "/" + "a" * r.randrange(9000))
    head = [f"{method} {path} {some(r, *['HTTP/1.1'] * 20, 'HTTP/1.0', 'HTTP/2.0', '')}".encode()]
    if r.random() < 0.97:
        head.append(b"Host: x")
    if r.random() < 0.9:
        head.append(b"Content-Type: " + some(r, b"application/json", b"application/x-ndjson", b"application/cloudevents+json",
                                             b"application/cloudevents-batch+json", b"application/octet-stream", b"\xff", b""))
    for name, values in ((b"Idempotency-Key", (b"a", b"b", b"\xff", b"x" * 300)), (b"Inference-Header-Content-Length", (b"10", b"%d" % len(body), b"-1", b"999999")),
                         (b"Expect", (b"100-continue", b"x")), (b"ce-specversion", (b"1.0", b"2")), (b"ce-id", (b"1",)), (b"ce-source", (b"1",)), (b"ce-type", (b"1",)),
                         (b"Authorization", (b"Bearer x",)), (b"Connection", (b"close", b"keep-alive", b"upgrade")), (b"Content-Encoding", (b"gzip", b"identity"))):
        if r.random() < 0.08:
            head.append(name + b": " + r.choice(values))
    if r.random() < 0.25 and body:
        cut = r.randrange(len(body))
        head.append(b"Transfer-Encoding: chunked")
        body = b"".join(b"%x\r\n" % len(p) + p + b"\r\n" for p in (body[:cut], body[cut:]) if p) + b"0\r\n\r\n"
    else:
        head.append(b"Content-Length: %d" % (len(body) + some(r, *[0] * 30, 1, -1, 10 ** 7)))
    text = b"\r\n".join(head) + b"\r\n\r\n" + body
    return mutated(r, text) if r.random() < 0.3 else text


def random_requests():
    print(f"  {RANDOM} requests, seed {SEED}")
    r = random.Random(SEED)
    met = {}
    with Echo("--idle-ms", 400, "--memory", 8 << 20, "--queue", 2048, "--events", 64, "--header", 8192) as echo:
        waiting = []
        for i in range(RANDOM):
            raw = echo.connect()
            for _ in range(some(r, 1, 1, 1, 2, 3)):
                try:
                    raw.sendall(random_request(r))
                except ConnectionError:
                    break
            end = r.randrange(4)
            if end == 0:
                raw.close()
                continue
            try:
                raw.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            waiting.append(raw)
            if len(waiting) < 24:
                continue
            for old in waiting:  # an answer, answers, or an end: never silence
                got = until_closed(old)
                code = got[9:12].decode("latin-1") if got.startswith(b"HTTP/1.") else "none"
                met[code] = met.get(code, 0) + 1
                old.close()
            waiting.clear()
            if i % 100 == 0:
                assert echo.process.poll() is None
                assert echo.score({"id": i})[0] == 200, (SEED, i)
        for old in waiting:
            old.close()
        echo.until("over", lambda c: c["in_flight"] == 0 and c["bytes"] == 0)
        assert echo.score({"id": 1})[0] == 200 and echo.ask("GET", "/healthz", admin=True)[0] == 200
    print(f"  answers: {dict(sorted(met.items()))}")
    assert {"200", "202", "400", "404", "405", "415", "422"} <= met.keys() or RANDOM < 1000, met


if __name__ == "__main__":
    run([slow_clients, idle_connections, overload, hoarders, random_requests])
