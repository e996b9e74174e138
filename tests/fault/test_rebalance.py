# ride-test: timeout=900
# ride-test: waits
# ride-test: release-only (it is about time: a sanitizer makes it a test of patience)
"""Two engines of one group: partitions move while batches are in flight and nothing is lost; and where windows cross partitions, the second one is
refused."""
import cases
import rebalance

if __name__ == "__main__":
    cases.main([(rebalance.refused, rebalance.parse, [], set(), set()),
                *((rebalance.run, rebalance.parse, ["--engine", f"ride:{mode}", "--rounds", "8"], set(), set()) for mode in ("inline", "pipeline"))])
