# ride-test: timeout=900
# ride-test: serial
# ride-test: release-only (a sanitizer's memory is not ours)
"""Ten times the load that the engine can work: its memory keeps its bound, nothing is lost, and it catches up."""
import cases
import overload

if __name__ == "__main__":
    cases.main([(overload.run, overload.parse, [], set(), set())])
