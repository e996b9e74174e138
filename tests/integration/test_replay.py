"""`ride verify --config`, `ride replay` and `ride state get` beside a service on a real broker, while it runs and after: what was published is what
comes out again; what somebody changed, took away or added in a copy of the results is found for what it is; nobody's group is touched.
# ride-test: timeout=600
# ride-test: waits
"""
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(os.environ.get("RIDE_SOURCE_DIR") or Path(__file__).resolve().parents[2])
sys.path.insert(0, str(TOP / "tests/fault"))
import harness  # noqa: E402  pylint: disable=wrong-import-position

TOOL = harness.BUILD / "tests/kafka_tool"
EVENTS, PARTITIONS = 3000, 3

CONFIG = """spec: {spec}
model: {{path: {top}/examples/card-fraud/model/model.json}}
rules:
  - {{id: sure, when: "probability >= 0.5", decision: decline}}
  - {{id: likely, when: "probability >= 0.1", decision: review}}
inputs: {{tx: {{topic: tx, format: csv}}}}
outputs:
  decisions: {{topic: decisions, format: {format}, vector: {vector}}}
  rejects: {{topic: rejects}}
kafka: {{brokers: "{brokers}", group: ride}}
admin: {{listen: "{admin}"}}
state: {{dir: {folder}/state}}
scheduler: {{max_batch: 64}}
"""


class Service:
    def __init__(self, broker, folder):
        self.broker, self.folder = broker, folder
        self.admin = f"127.0.0.1:{harness.free_port()}"
        (folder / "state").mkdir()
        self.path = folder / "ride.yaml"
        self.write()
        self.process = None

    def write(self, name="ride.yaml", spec=TOP / "examples/card-fraud/features.yaml", **more):
        path = self.folder / name
        options = {"format": "ndjson", "vector": "true", **more}
        path.write_text(CONFIG.format(spec=spec, top=TOP, brokers=self.broker.address, admin=self.admin, folder=self.folder, **options))
        return path

    def start(self):
        log = open(self.folder / "log", "ab")  # pylint: disable=consider-using-with
        self.process = subprocess.Popen([harness.RIDE, "run", "--config", self.path, "--quiet"], stdout=log, stderr=log)
        log.close()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.terminate()
        assert self.process.wait(60) == 0, self.log()

    def log(self):
        return (self.folder / "log").read_text(errors="replace")[-4000:]

    def offsets(self, topic="tx"):
        """What the group has of each partition; the broker may still be looking for it."""
        rows = []

        def look():
            run = subprocess.run([TOOL, self.broker.address, "offsets", topic, "ride"], check=False, capture_output=True, text=True)
            rows[:] = [json.loads(line) for line in run.stdout.splitlines()]
            return run.returncode == 0
        harness.until("the group's offsets", look, 30)
        return rows

    def done(self):
        assert self.process.poll() is None, self.log()
        return all(row["committed"] == row["end"] for row in self.offsets())


def ride(*words, code=0):
    run = subprocess.run([harness.RIDE, *map(str, words)], capture_output=True, text=True, check=False)
    assert run.returncode == code, f"ride {' '.join(map(str, words))}: {run.returncode}, not {code}\n{run.stdout}{run.stderr}"
    return run.stdout + run.stderr


def has(text, *wanted):
    flat = " ".join(text.split())
    for words in wanted:
        assert words in flat, f"`{words}` is not in\n{text}"


def tool(broker, *words, text=None):
    return subprocess.run([TOOL, broker.address, *map(str, words)], check=True, input=text, text=True, capture_output=True).stdout


def messages(first, last):
    lines = (TOP / "tests/golden/card-fraud/events.csv").read_text().splitlines()[1:][first:last]
    return "".join(f"{line.split(',')[2]}\t{line}\n" for line in lines)


def check_while_it_runs(service):
    """A verification beside the running service, with repeats by a kill behind it."""
    before = service.offsets()
    text = ride("verify", "--config", service.path, "--journal")
    has(text, f"equal {EVENTS:,} byte for byte")
    assert service.offsets() == before, "a verification stores nothing"
    assert service.process.poll() is None
    log = service.log()
    assert log.count("streams revoked") == 0, "a verification joins no group: no rebalance"


def check_events(service):
    results = [json.loads(line) for line in tool(service.broker, "consume", "decisions").splitlines()]
    place, twice = {}, None
    for result in results:  # the first message of each event
        event = result["headers"]["event_id"]
        same = [result["headers"][name] == place[event]["headers"][name] for name in ("source_partition", "source_offset")] \
            if event in place else []
        if same and not all(same):
            twice = event
        if event not in place or result["ts"] < place[event]["ts"]:
            place[event] = result
    assert twice is not None, "the stream has no repeated event"
    has(ride("replay", "--config", service.path, "--event", twice), "came again tx/", "equal, byte for byte")
    last = messages(EVENTS - 1, EVENTS).split("\t")[1].split(",")[0]
    for event in ("1", "700", "1999", last):
        text = ride("replay", "--config", service.path, "--event", event, "--vector")
        has(text, f"tx_id {event}", "equal, byte for byte", "card_count_1h", "the vector",
            f"message tx/{place[event]['headers']['source_partition']}/{place[event]['headers']['source_offset']}")
        assert json.loads(place[event]["value"])["key"] not in text, "a card is not shown whole"
    got = json.loads(ride("replay", "--config", service.path, "--event", "2500", "--vector", "--json"))
    value = json.loads(place["2500"]["value"])
    assert got["equal"] is True and got["exact"] is True and got["published"][0]["copies"] >= 1
    assert {**got["record"], **got["vector"]} == value, (got, value)
    assert got["record"]["spec_hash"] == got["spec_hash"] and got["record"]["model_hash"] == got["model_hash"]
    at = place["2500"]["headers"]
    again = json.loads(ride("replay", "--config", service.path, "--at", f"tx/{at['source_partition']}/{at['source_offset']}", "--json",
                            "--backend", "cpu"))
    assert again["record"] == got["record"]
    has(ride("replay", "--config", service.path, "--event", "no-such-event", code=66), "no result has the event id `no-such-event`")
    has(ride("replay", "--config", service.path, "--at", "tx/0/99999", code=66), "has not met tx/0/99999")
    has(ride("replay", "--config", service.path, "--at", "tx/77/0", code=66), "is no partition of an input")
    has(ride("replay", "--config", service.path, "--at", "nothing", code=64), "--at")
    has(ride("replay", "--config", service.path, code=64), "one of --event ID and --at")


def check_rejected(service, partition, offset):
    has(ride("replay", "--config", service.path, "--at", f"tx/{partition}/{offset}"), "no decision: the message was rejected:")


def check_state(service):
    """The windows of a card now are those that its last event saw, since that is as of its time (the vector's windows count it too)."""
    results = [json.loads(json.loads(line)["value"]) for line in tool(service.broker, "consume", "decisions").splitlines()]
    last = max(results, key=lambda r: (r["event_time"], r["tx_id"]))
    card = last["key"]
    got = json.loads(ride("state", "get", "--admin", service.admin, "--entity", "card", "--key", card, "--json"))
    windows = {w["feature"]: w for w in got["windows"]}
    for name in ("card_count_1h", "card_count_30d", "card_amount_mean_7d", "card_amount_std_30d", "card_amount_max_30d",
                 "card_terminal_distinct_1h"):
        assert windows[name]["value"] == last[name], (name, windows[name], last[name])
    text = ride("state", "get", "--admin", service.admin, "--entity", "card", "--key", card)
    has(text, "card, as of 2025-", "card_count_1h", "newest events", "amount")
    terminal = ride("state", "get", f"--admin={service.admin}", "--entity=terminal", "--key=25", "--at", "2025-01-10T00:00:00Z")
    has(terminal, "as of 2025-01-10T00:00:00Z")
    has(ride("state", "get", "--admin", service.admin, "--entity", "cards", "--key", "x", code=66), "no entity `cards`; did you mean `card`?")
    has(ride("state", "get", "--admin", service.admin, "--entity", "card", "--key", "c_nobody", code=66), "nothing is known of this key")
    has(ride("state", "get", "--admin", service.admin, "--entity", "terminal", "--key", "abc", code=65), "no value of the field `terminal`")
    has(ride("state", "get", "--admin", service.admin, "--entity", "card", "--key", "x", "--at", "noon", code=66), "nothing is known")
    has(ride("state", "get", "--admin", service.admin, "--entity", "card", "--key", card, "--at", "noon", code=65), "`at` is an event time")
    has(ride("state", "get", "--admin", "127.0.0.1:1", "--entity", "card", "--key", "x", code=69), "is `ride run` up")
    assert card not in service.log() and "c_nobody" not in service.log(), "a key is in no log"


def check_planted(service):
    """Of a copy of the results one is changed, one is gone and one has a second copy that is not equal."""
    broker = service.broker
    value = json.loads(tool(broker, "consume", "decisions").splitlines()[10])["value"]
    margin = value.index('"margin":') + len('"margin":') + 2  # a digit of it
    tool(broker, "create", "forged", PARTITIONS)
    tool(broker, "copy", "decisions", "forged", 1, 20, f"flip:{margin}", 0, 30, "drop", 2, 40, f"again:{margin}")
    forged = ("--set", "outputs.decisions.topic=forged")
    text = ride("verify", "--config", service.path, *forged, code=65)
    has(text, "differing 1", "missing 1", "copies differ 1", f"equal {EVENTS - 2:,}", ": margin is `", "differs tx/", "missing tx/",
        "result at forged/1/20")
    assert json.loads(value)["key"] not in text
    source = json.loads([line for line in tool(broker, "consume", "decisions").splitlines()
                         if json.loads(line)["partition"] == 1 and json.loads(line)["offset"] == 20][0])["headers"]
    text = ride("replay", "--config", service.path, *forged, "--event", source["event_id"], code=65)
    has(text, "NOT EQUAL: margin is `")
    got = json.loads(ride("replay", "--config", service.path, *forged, "--event", source["event_id"], "--json", code=65))
    assert got["equal"] is False and got["difference"]["field"] == "margin"
    text = ride("verify", "--config", service.path, *forged, "--first", 1, code=65)
    has(text, "more findings are counted only", "differing 1", "missing 1")


def check_refusals(service, folder):
    other = folder / "other.yaml"
    other.write_text((TOP / "examples/card-fraud/features.yaml").read_text().replace("dedup: 3d", "dedup: 2d"))
    path = service.write("other-run.yaml", spec=other)
    for verb in (("verify",), ("replay", "--event", "1")):
        has(ride(verb[0], "--config", path, *verb[1:], code=65), "the arrival journal is of the feature spec", "journal.ride")
    has(ride("verify", "--config", service.path, "--journal", folder / "nowhere.ride", code=66), "nowhere.ride")
    (folder / "rubbish.ride").write_bytes(b"x" * 100)
    has(ride("verify", "--config", service.path, "--journal", folder / "rubbish.ride", code=65), "not an arrival journal")
    has(ride("verify", "--config", service.path, "--set", "outputs.decisions.topic=nothing-there", code=66), "nothing-there")
    tool(service.broker, "create", "empty", PARTITIONS)
    has(ride("verify", "--config", service.path, "--set", "outputs.decisions.topic=empty", code=65), "missing")
    has(ride("verify", "--config", service.path, "--set", "outputs.decisions.topic=empty", "--set", "kafka.group=nobody", code=66), "on the way")
    has(ride("verify", "--spec", "x", "--input", "y", "--first", "3", code=64), "--first")
    has(ride("verify", "--config", service.path, "--spec", "x", code=64), "--config has its own spec")
    has(ride("verify", code=64), "--spec is missing")


def check_truncated(service):
    """The log forgets its begin: with windows of 37 days nothing can be exact, and that is said; a message that is gone is refused."""
    tool(service.broker, "trim", "tx", 0, 100)
    text = ride("verify", "--config", service.path, code=66)
    has(text, "the log begins at 100", "no result can be exact", f"not judged {EVENTS:,}")
    has(ride("replay", "--config", service.path, "--at", "tx/0/99", code=65), "the log no longer has tx/0/99: it begins at 100")
    run = subprocess.run([harness.RIDE, "replay", "--config", service.path, "--at", "tx/1/300"], capture_output=True, text=True, check=False)
    assert run.returncode in (0, 65), run.stdout + run.stderr  # by what its card and terminal had in what is gone
    has(run.stdout, "NOT EXACT")


def main():
    if not TOOL.exists():
        harness.skip("this build has no Kafka")
    with tempfile.TemporaryDirectory(prefix="ride-replay-") as folder:
        folder = Path(folder)
        with harness.Broker(folder / "broker") as broker:
            for topic, partitions in (("tx", PARTITIONS), ("decisions", PARTITIONS), ("rejects", 1)):
                tool(broker, "create", topic, partitions)
            service = Service(broker, folder)
            try:
                tool(broker, "produce", "tx", "-", text=messages(0, 2000))
                service.start()
                harness.until("results", service.done, 60)
                service.kill()  # what was not committed comes again
                tool(broker, "produce", "tx", "-", text=messages(2000, EVENTS))
                service.start()
                harness.until("all results", service.done, 60)
                check_while_it_runs(service)
                check_events(service)
                check_state(service)
                check_planted(service)
                check_refusals(service, folder)
                tool(broker, "produce", "tx", "-", "partition", text="2\tc\tthis is no event\n")
                harness.until("the rejected one", service.done, 60)
                check_rejected(service, 2, service.offsets()[2]["end"] - 1)
                service.stop()
                has(ride("verify", "--config", service.path), f"equal {EVENTS:,}")
                check_truncated(service)
            finally:
                if service.process is not None and service.process.poll() is None:
                    service.kill()
    print("ok")


main()
