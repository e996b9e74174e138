"""`ride run` with http.log_topic beside a real broker: what tests/integration/test_http_log.py and tests/fault/test_http_kills.py share.

    service = HttpLog(kafka, folder, "name")   # topics name-log, name-decisions, name-rejects are there; mode: runtime.mode
    service.start()                            # and all else of HttpRide
"""
import re
from pathlib import Path

from http_ride import HttpRide, ride
from kafka_service import TOP

EXAMPLE = TOP / "examples/card-fraud"
RULES = re.search(r"^rules:.*?\n\n", (EXAMPLE / "ride.yaml").read_text(), re.M | re.S)[0]
RAW = "raw: {session.timeout.ms: 6000, reconnect.backoff.max.ms: 500}"


def messages(kafka, topic):
    """Of each: (partition, offset, key, value, headers)."""
    return [(m["partition"], m["offset"], m["key"], m["value"].encode("latin-1"), m["headers"]) for m in kafka.consume(topic)]


class HttpLog(HttpRide):
    def __init__(self, kafka, folder, name, partitions=2, inputs="", start="earliest", mode="inline"):
        self.kafka, home = kafka, Path(folder) / name
        (home / "state").mkdir(parents=True)
        spec = home / "spec.yaml"
        spec.write_text((EXAMPLE / "features.yaml").read_text().replace("format: csv", "format: json"))
        for topic, count in (("log", partitions), ("decisions", 2), ("rejects", 1)):
            kafka.create(f"{name}-{topic}", count)
        super().__init__(
            folder, name,
            f"spec: {spec}\nmodel: {EXAMPLE}/model/model.json\n{RULES}{inputs}"
            f"outputs:\n  decisions: {{topic: {name}-decisions}}\n  rejects: {{topic: {name}-rejects}}\n"
            f"kafka: {{brokers: '{kafka.bootstrap}', group: {name}, start: {start}, {RAW}}}\nstate: {{dir: {home}/state}}\n"
            f"runtime: {{mode: {mode}}}\n", http=f", log_topic: {name}-log")

    def lag(self):
        rows = self.kafka.offsets(f"{self.name}-log", self.name)
        return sum(row["end"] - max(row["committed"] or 0, row["begin"]) for row in rows.values())

    def verify(self):
        """All that was published is what log and journal give."""
        return ride("verify", "--config", self.config, "--journal").strip().splitlines()[-1]
