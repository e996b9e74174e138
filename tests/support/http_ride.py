"""`ride run` with http.listen as a process of a test: its ports are free ones, which its log tells.

    service = HttpRide(folder, "name", text)   # text: the configuration without its http, admin and log
    service.start()                            # returns when it is ready
    service.post("/v1/score", event)           # (status, body as JSON, headers); status 0: no answer
"""
import http.client
import json
import os
import re
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from kafka_service import TOP, until

RIDE = os.environ.get("RIDE_BIN") or str(TOP / "build/release/bin/ride")


def ride(*words, code=0):
    done = subprocess.run([RIDE, *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == code, f"ride {' '.join(map(str, words))}: exit {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def events_of(folder, count, seed=7):
    """Generated events as JSON texts."""
    path = Path(folder) / f"events-{seed}.ndjson"
    ride("generate", "--events", count, "--customers", max(count // 20, 20), "--terminals", max(count // 100, 10), "--seed", seed, "--format",
         "ndjson", "--output", path)
    return path.read_text().splitlines()


class HttpRide:
    def __init__(self, folder, name, text, http=""):
        """http: more options of it."""
        self.name, self.folder = name, Path(folder) / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config = self.folder / "ride.yaml"
        self.config.write_text(f"{text}http: {{listen: '127.0.0.1:0'{http}}}\nadmin: {{listen: '127.0.0.1:0'}}\nlog: {{level: info, format: json}}\n")
        self.run, self.log, self.starts, self.address, self.admin = None, None, 0, None, None

    def said(self):
        return (self.folder / f"log-{self.starts}").read_text(errors="replace")

    def start(self, ready=True):
        self.starts += 1
        self.log = open(self.folder / f"log-{self.starts}", "w", encoding="utf-8")  # pylint: disable=consider-using-with
        self.run = subprocess.Popen([RIDE, "run", "--config", self.config], stderr=self.log)
        if ready:
            until(self.listens, 60, f"{self.name} listens")
            until(lambda: self.readyz()[0] == 200, 90, f"{self.name} is ready")
        return self

    def listens(self):
        assert self.run.poll() is None, f"{self.name} ended: {self.said()}"
        http_at, admin_at = (re.search(f'"{what}".*?"ride.listen":"([^"]+)"', self.said()) for what in ("HTTP scores", "metrics and health"))
        if http_at and admin_at:
            self.address, self.admin = http_at[1], admin_at[1]
        return http_at and admin_at

    def get(self, path, address=None):
        try:
            with urllib.request.urlopen(f"http://{address or self.admin}{path}", timeout=30) as page:
                return page.status, page.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except urllib.error.URLError as error:
            raise AssertionError(f"{self.name} does not answer: {error}: {self.said()[-3000:]}") from None

    def readyz(self):
        """(status, {part: why it is not ready, or None})"""
        status, text = self.get("/readyz")
        return status, {part["part"]: None if part["ready"] else part["why"] for part in json.loads(text)["parts"]}

    def post(self, path, body, timeout=60, connection=None, **headers):
        """(status, body, headers); status 0 and the reason: the connection ended."""
        own = connection or http.client.HTTPConnection(self.address, timeout=timeout)
        try:
            own.request("POST", path, body if isinstance(body, (str, bytes)) else json.dumps(body),
                        {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}})
            answer = own.getresponse()
            text = answer.read().decode()
            return answer.status, json.loads(text) if text.startswith(("{", "[")) and "\n{" not in text else text, dict(answer.getheaders())
        except (OSError, http.client.HTTPException) as error:
            own.close()
            return 0, repr(error), {}
        finally:
            if connection is None:
                own.close()

    def kill(self):
        assert self.run.poll() is None, f"{self.name} ended by itself: {self.said()}"
        self.run.kill()
        self.run.wait()
        self.log.close()

    def stop(self, seconds=60):
        self.run.send_signal(signal.SIGTERM)
        code = self.run.wait(seconds)
        self.log.close()
        return code

    def close(self):
        if self.run is not None and self.run.poll() is None:
            self.run.kill()
            self.run.wait()
        if self.log is not None:
            self.log.close()
