"""A /metrics endpoint over the real registry (metrics_page.c) with made-up traffic: a second of it for each second that passes, or for each
request. For tests of `ride top`, the alert rules and the dashboard."""
import http.server
import os
import subprocess
import threading
import time
from pathlib import Path

TOP = Path(os.environ.get("RIDE_SOURCE_DIR") or Path(__file__).resolve().parents[2])
BUILD = Path(os.environ.get("RIDE_BUILD_DIR") or TOP / "build/release")


def build_page(folder):
    """Compiles the program; None and the reason when that cannot be."""
    library = BUILD / "libride_core.a"
    if not library.exists():
        return None, f"{library.name} is not built"
    flags = subprocess.run(["sed", "-n", "s/^RIDE_SANITIZE:[A-Z]*=//p", BUILD / "CMakeCache.txt"], capture_output=True, text=True,
                           check=True).stdout.strip()
    program = Path(folder) / "metrics_page"
    command = ["cc", "-std=gnu17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-O1", *([f"-fsanitize={flags}"] if flags else []),
               f"-I{TOP}", f"-I{TOP}/host", TOP / "tests/support/metrics_page.c", library, "-o", program, "-lstdc++", "-lm", "-lpthread"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (program, None) if done.returncode == 0 else (None, done.stderr)


class Page:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.lock = threading.Lock()

    def next(self, command="tick"):
        with self.lock:
            self.process.stdin.write(command.encode() + b"\n")
            self.process.stdin.flush()
            return self.process.stdout.read(int(self.process.stdout.readline()))

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


class Server:
    """`answer` is what a GET of /metrics gets: a function of nothing that returns (code, body). Chunked on request, as some servers do."""

    def __init__(self, answer, chunked=False):
        server = self
        self.requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                server.requests.append((self.path, dict(self.headers)))
                code, body = answer() if self.path == "/metrics" else (404, b"not found")
                self.send_response(code)
                self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
                if chunked:
                    self.send_header("Transfer-Encoding", "chunked")
                    self.end_headers()
                    for at in range(0, len(body), 1000):
                        part = body[at:at + 1000]
                        self.wfile.write(b"%x;ext=1\r\n%s\r\n" % (len(part), part))
                    self.wfile.write(b"0\r\n\r\n")
                else:
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                self.close_connection = True

            def log_message(self, *_):
                pass

        class Listener(http.server.ThreadingHTTPServer):
            daemon_threads = True

        self.http = Listener(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.http.server_address[1]}"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


class Traffic:
    """Pages of a service that runs: as many seconds of traffic as have passed since the last one."""

    def __init__(self, page):
        self.page, self.begun, self.told, self.last = page, time.monotonic(), 0, b""
        self.lock = threading.Lock()

    def __call__(self):
        with self.lock:
            due = int(time.monotonic() - self.begun) + 1
            while self.told < due:
                self.last = self.page.next()
                self.told += 1
            return 200, self.last
