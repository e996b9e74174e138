# ride-test: timeout=900
# ride-test: release-only (it is about time: a sanitizer makes it a test of patience)
"""Two engines of one group: partitions move while batches are in flight and nothing is lost; and where windows cross partitions, the second one is
refused."""
import subprocess

import cases
import harness
import rebalance

if __name__ == "__main__":
    chosen = [(rebalance.refused, rebalance.parse, [], set(), set())]
    knows = subprocess.run([harness.RIDE, "config", "explain", "inputs.tx.partition_key"], capture_output=True, check=False).returncode == 0
    if knows:
        for mode in ("inline", "pipeline"):
            chosen.append((rebalance.run, rebalance.parse, ["--engine", f"ride:{mode}", "--rounds", "8"], set(), set()))
    else:
        print("NOT RUN rebalance.run: no input can say yet what it is partitioned by (inputs.NAME.partition_key)")
    cases.main(chosen)
