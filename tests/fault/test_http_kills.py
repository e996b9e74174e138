# ride-test: timeout=900
# ride-test: serial
# ride-test: release-only (a real broker and many starts; its parts run under sanitizers in unit/logged_feed_test)
"""kill -9 while HTTP events go through http.log_topic, half of the kills inline and half in a pipeline: every event that was acknowledged has a result,
repeats have the same bytes; and the judge finds what is planted."""
import http_kills


class Planted:
    """A broker whose topics say what they are told to."""

    def __init__(self, log, decisions):
        self.topics = {"x-log": log, "x-decisions": decisions}

    def consume(self, topic):
        return [{"partition": 0, "offset": i, "key": "c", "value": value, "headers": headers} for i, (value, headers) in enumerate(self.topics[topic])]


def of(offset, event_id, margin="1", end="scored"):
    return (f'{{"tx_id":{event_id},"margin":{margin},"end":"{end}"}}', {"source_topic": "x-log", "source_partition": "0", "source_offset": str(offset)})


def judged(decisions, answers, log=2):
    service = type("Service", (), {"name": "x"})
    return http_kills.judge(Planted([("{}", {})] * log, decisions), service, answers)[0]


def planted():
    good, record = [of(0, 1), of(1, 2)], {"tx_id": 1, "margin": 1, "end": "scored"}
    assert judged(good, {1: record, 2: None}) == []
    assert judged([*good, of(0, 1)], {1: record}) == []
    assert "other bytes" in judged([*good, of(0, 1, "2")], {})[0]
    assert "no result" in judged(good, {3: None})[0]
    assert "have results" in judged(good, {}, log=3)[0]
    assert "was answered" in judged(good, {1: dict(record, margin=2)})[0]
    assert "scored twice" in judged([of(0, 1), of(1, 1)], {})[0]
    assert judged([of(0, 1), of(1, 1, end="duplicate")], {}) == []


if __name__ == "__main__":
    planted()
    for number, mode in enumerate(("inline", "pipeline")):
        http_kills.main(["--kills", "4", "--mode", mode, "--seed", str(1 + number)])
