# ride-test: timeout=900
# ride-test: serial
# ride-test: release-only (a sanitizer's memory is not ours)
"""Ten times the load that the engine can work, from Kafka and over HTTP: its memory keeps its bound, nothing is lost, everything has an answer or is
refused, and it catches up."""
import cases
import overload
import overload_http

if __name__ == "__main__":
    cases.main([
        (overload.run, overload.parse, [], set(), set()),
        (overload_http.run, overload_http.parse, [], set(), set()),
    ])
