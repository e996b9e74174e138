#!/usr/bin/env python3
# ride-test: timeout=900
# ride-test: waits
"""The feed and the outlet of Kafka against a real broker: order, one stream at a time, offsets, rebalances, a broker that is killed,
topics that come and go, and the words for what is wrong. Names of cases as arguments run only those."""
import collections
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from kafka_service import Driver, Kafka, until  # noqa: E402

ROWS = 100_000


def rows_of(path):
    """[(topic, partition, offset, key, value)] as a feed wrote them."""
    rows = [line.split("\t") for line in Path(path).read_text().splitlines()]
    return [(t, int(p), int(o), k, v) for t, p, o, k, v in rows]


def by_partition(rows):
    found = collections.defaultdict(list)
    for _, partition, offset, key, value in rows:
        found[partition].append((offset, key, value))
    return found


def same(found, expected):
    """Compares what a feed wrote with what the topic holds; says where they part."""
    for partition in sorted(set(found) | set(expected)):
        a, b = found.get(partition, []), expected.get(partition, [])
        for at, (x, y) in enumerate(zip(a, b)):
            assert x == y, f"partition {partition}: message {at} is {x}, not {y}"
        assert len(a) == len(b), f"partition {partition}: {len(a)} messages, not {len(b)}; the next {(a + b)[min(len(a), len(b))]}"


def expect(kafka, topic):
    """What the topic holds, as the tool sees it."""
    found = collections.defaultdict(list)
    for m in kafka.consume(topic):
        found[m["partition"]].append((m["offset"], m["key"] or "", m["value"] or ""))
    return found


def test_order_and_offsets(kafka):
    kafka.create("tx", 4)
    kafka.produce("tx", ((f"k{i % 997}", f"v{i}") for i in range(ROWS)))
    expected = expect(kafka, "tx")
    feed = Driver("feed", brokers=kafka.bootstrap, group="order", topic="tx", ends=1, store=1, out="any")
    assert feed.end()["messages"] == ROWS
    same(by_partition(rows_of("any")), expected)
    assigned = feed.of("assigned")
    assert [(a["partition"], a["partitions"], a["committed"], a["begin"], a["start"]) for a in assigned] == \
        [(p, 4, -1, 0, 0) for p in range(4)], assigned
    assert {a["partition"]: a["end"] for a in assigned} == {p: len(rows) for p, rows in expected.items()}
    # Each end is told once, after everything before it was given.
    assert sorted(e["next"] for e in feed.of("end")) == sorted(len(rows) for rows in expected.values()), feed.events
    stored = kafka.offsets("tx", "order")
    assert all(row["committed"] == row["end"] for row in stored.values()), stored
    # Nothing is read twice.
    again = Driver("feed", brokers=kafka.bootstrap, group="order", topic="tx", ends=1, store=1)
    assert again.end()["messages"] == 0
    # A rebuild begins earlier and does not move what was stored.
    back = Driver("feed", brokers=kafka.bootstrap, group="order", topic="tx", ends=1, store=1, back=100, out="back")
    assert back.end()["messages"] == 400
    assert {p: [o for o, _, _ in rows] for p, rows in by_partition(rows_of("back")).items()} == \
        {p: list(range(row["end"] - 100, row["end"])) for p, row in stored.items()}
    assert kafka.offsets("tx", "order") == stored


def test_one_stream_at_a_time(kafka):
    feed = Driver("feed", brokers=kafka.bootstrap, group="each", topic="tx", ends=1, each=1, out="each", batch=777)
    feed.end()
    rows = rows_of("each")
    same(by_partition(rows), expect(kafka, "tx"))
    turns = [rows[0][1]] + [b[1] for a, b in zip(rows, rows[1:]) if a[1] != b[1]]
    assert turns == [0, 1, 2, 3], turns
    # The queues are smaller than a partition by far: one stream is read while the others are full.
    small = Driver("feed", brokers=kafka.bootstrap, group="each", topic="tx", ends=1, each=1, out="small", batch=50, queue_bytes=300_000)
    small.end()
    assert rows_of("small") == rows
    # Any stream will do: none waits until another is at its end.
    fair = Driver("feed", brokers=kafka.bootstrap, group="fair", topic="tx", count=20_000, batch=400, slow_us=10_000, out="fair")
    fair.end()
    assert len(by_partition(rows_of("fair"))) == 4


def test_messages_are_held(kafka):
    """Messages live until they are released, over rebalances and fetches."""
    feed = Driver("feed", brokers=kafka.bootstrap, group="hold", topic="tx", ends=1, hold=50_000, out="held")
    assert feed.end()["messages"] == ROWS
    same(by_partition(rows_of("held")), expect(kafka, "tx"))


def test_latest(kafka):
    feed = Driver("feed", brokers=kafka.bootstrap, group="late", topic="tx", start="latest", store=1, count=2, out="late")
    feed.wait(Driver.healthy, told="health")
    kafka.produce("tx", [(0, "a", "late 1"), (0, "a", "late 2")])
    feed.end()
    assert [row[4] for row in rows_of("late")] == ["late 1", "late 2"]


def test_two_members(kafka):
    """A second member comes and goes: every message once, each partition in its order, over both."""
    kafka.create("pair", 4)
    kafka.produce("pair", ((i % 4, f"k{i % 97}", f"v{i}") for i in range(40_000)))
    first = Driver("feed", brokers=kafka.bootstrap, group="pair", topic="pair", store=1, out="first", batch=100, slow_us=5_000)
    first.wait(lambda d: len(d.owned()) == 4, told="four partitions")
    second = Driver("feed", brokers=kafka.bootstrap, group="pair", topic="pair", store=1, out="second", batch=100, slow_us=5_000)
    second.wait(lambda d: len(d.owned()) == 2 and d.healthy(), told="two partitions")
    first.wait(lambda d: len(d.owned()) == 2 and d.healthy(), told="its share")
    time.sleep(0.5)
    second.stop()
    first.wait(lambda d: len(d.owned()) == 4, told="all partitions again")
    first.wait(lambda d: set(d.owned()) <= {e["stream"] for e in d.of("end") if e["next"] == 10_000}, 60, "the end")
    first.stop()
    assert not any(e["lost"] for e in first.of("revoked")), first.events
    parts = by_partition(rows_of("first")), by_partition(rows_of("second"))
    assert sum(len(rows) for rows in parts[1].values()) > 0
    expected = expect(kafka, "pair")
    for partition in range(4):
        for rows in (part[partition] for part in parts):
            offsets = [o for o, _, _ in rows]
            assert offsets == sorted(set(offsets)), partition
        assert sorted(parts[0][partition] + parts[1][partition]) == expected[partition], partition


def test_killed_member(kafka):
    """The partitions of a member that was killed are another's after its session; what it had not stored comes again."""
    first = Driver("feed", brokers=kafka.bootstrap, group="killed", topic="pair", out="gone", count=0)
    first.wait(lambda d: len(d.of("end")) >= 4, told="the end")
    first.kill()
    second = Driver("feed", brokers=kafka.bootstrap, group="killed", topic="pair", ends=1, out="heir")
    second.wait(lambda d: d.of("health") and not d.healthy(), told="not ready")
    assert "has no partitions for us yet" in second.of("health")[0]["why"], second.events
    assert second.end()["messages"] == 40_000


def test_stopped_member(kafka):
    """A member that hangs longer than its session loses its partitions; it is told so, and gives nothing of theirs afterwards."""
    first = Driver("feed", brokers=kafka.bootstrap, group="stopped", topic="pair", out="stopped", slow_us=1_000, batch=100, seconds=120)
    first.wait(lambda d: len(d.owned()) == 4, told="four partitions")
    first.run.send_signal(signal.SIGSTOP)
    second = Driver("feed", brokers=kafka.bootstrap, group="stopped", topic="pair", ends=1, out="heir")
    assert second.end()["messages"] == 40_000
    first.run.send_signal(signal.SIGCONT)
    first.wait(lambda d: [e["lost"] for e in d.of("revoked")] == [True] * 4, told="that they are lost")
    first.wait(lambda d: len(d.owned()) == 4 and set(d.owned()) <= {e["stream"] for e in d.of("end")}, told="them again, and the end")
    first.stop()  # the driver fails on a message of a stream that is not its own
    again = by_partition(rows_of("stopped"))
    assert {p: sorted(set(rows)) for p, rows in again.items()} == expect(kafka, "pair")


def test_named_member(kafka):
    """A member with a name has its partitions back at once, though its session is not over for long."""
    raw = ["group.instance.id:one", "session.timeout.ms:300000"]
    first = Driver("feed", brokers=kafka.bootstrap, group="named", topic="pair", raw=raw)
    first.wait(lambda d: len(d.of("end")) >= 4, told="the end")
    first.kill()
    second = Driver("feed", brokers=kafka.bootstrap, group="named", topic="pair", raw=raw, ends=1)
    assert second.end()["messages"] == 40_000


def test_two_topics(kafka):
    """Several topics: partition N of all of them comes to one member."""
    kafka.create("events", 3)
    kafka.create("labels", 3)
    kafka.produce("events", ((i % 3, "k", f"e{i}") for i in range(300)))
    kafka.produce("labels", ((i % 3, "k", f"l{i}") for i in range(300)))
    members = [Driver("feed", brokers=kafka.bootstrap, group="two", topic=["events", "labels"], out=f"two{i}", store=1) for i in range(2)]
    for member in members:
        member.wait(lambda d: d.healthy() and len(d.owned()) in (2, 4), told="its share")
    until(lambda: sum(len(m.owned()) for m in members) == 6, 30, "six partitions")
    for member in members:
        mine = [(a["topic"], a["partition"]) for a in member.owned().values()]
        assert {p for t, p in mine if t == "events"} == {p for t, p in mine if t == "labels"}, mine
        assert all(a["source"] == a["topic"] for a in member.of("assigned"))
    for member in members:
        member.wait(lambda d: d.of("end"), told="an end")
        member.stop()
    assert sorted(row[4] for i in range(2) for row in rows_of(f"two{i}")) == sorted(f"{c}{i}" for c in "el" for i in range(300))


def write_lines(path, count, size=100):
    keys = [f"k{i % 211}" for i in range(count)]
    Path(path).write_text("".join(f"{k}\t{i} {'x' * size}\n" for i, k in enumerate(keys)))


def check_delivered(kafka, topic, count):
    """Every line once, each key in its order and in one partition."""
    messages = kafka.consume(topic)
    numbers = [int(m["value"].split()[0]) for m in messages]
    assert sorted(numbers) == list(range(count)), (len(numbers), len(set(numbers)), count)
    last, place = {}, {}
    for m, number in zip(messages, numbers):
        assert place.setdefault(m["key"], m["partition"]) == m["partition"], m
        assert last.get(m["key"], -1) < number, m
        last[m["key"]] = number
    return messages


def test_outlet(kafka):
    kafka.create("out", 4)
    kafka.create("other", 4)
    write_lines("lines", 50_000)
    outlet = Driver("outlet", brokers=kafka.bootstrap, topic="out", **{"in": "lines"}, headers=6)
    summary = outlet.end()
    assert (summary["sent"], summary["delivered"], summary["failed"], summary["pending"]) == (50_000, 50_000, 0, False), summary
    messages = check_delivered(kafka, "out", 50_000)
    assert list(messages[0]["headers"]) == ["event", "topic", "partition", "offset", "model", "spec"]
    # The partition of a key is the one that Java's producers, and the tool's, choose.
    kafka.produce("other", ((f"k{i}", "") for i in range(211)))
    theirs = {m["key"]: m["partition"] for m in kafka.consume("other")}
    assert {m["key"]: m["partition"] for m in messages} == theirs


def test_refused_results(kafka):
    """A result that is too large ends alone, whether it is refused here or by the broker; the others arrive."""
    kafka.create("narrow", 1, "max.message.bytes=2000")
    Path("lines").write_text("a\t0 x\n" + "b\t1 " + "x" * 5_000 + "\nc\t2 x\n" + "d\t3 " + "x" * 2_000_000 + "\ne\t4 x\n")
    outlet = Driver("outlet", brokers=kafka.bootstrap, topic="narrow", **{"in": "lines"}, raw=["linger.ms:0", "batch.num.messages:1"])
    summary = outlet.end()
    assert (summary["delivered"], summary["failed"]) == (3, 2), outlet.events
    refused = sorted((e["ticket"], e["status"], e["why"]) for e in outlet.of("refused"))
    assert refused == [(n, "E_DATA", "too large for the topic narrow") for n in (1, 3)], refused
    assert [m["value"][0] for m in kafka.consume("narrow")] == ["0", "2", "4"]


def test_full_outlet(kafka):
    """A broker that hangs fills the queue and no more; when it goes on, everything arrives once and in order."""
    kafka.create("slow", 2)
    write_lines("lines", 30_000)
    outlet = Driver("outlet", brokers=kafka.bootstrap, topic="slow", **{"in": "lines"}, outlet_messages=5_000)
    outlet.wait(lambda d: d.of("open"), told="open")
    kafka.service("pause")
    try:
        time.sleep(1.5)
        assert outlet.run.poll() is None
    finally:
        kafka.service("resume")
    summary = outlet.end()
    assert summary["delivered"] == 30_000 and summary["full"] > 0, summary
    check_delivered(kafka, "slow", 30_000)


def test_broker_killed(kafka):
    """kill -9 and back: nothing lost on either side, ready is false meanwhile and says why, and true again by itself."""
    kafka.create("back", 4)
    write_lines("lines", 400_000)
    feed = Driver("feed", brokers=kafka.bootstrap, group="back", topic="back", store=1, out="back", seconds=180)
    outlet = Driver("outlet", brokers=kafka.bootstrap, topic="back", **{"in": "lines"}, headers=2, seconds=180, outlet_messages=20_000)
    feed.wait(Driver.healthy, told="ready")
    time.sleep(0.3)
    kafka.service("kill")
    for side in (feed, outlet):
        side.wait(lambda d: d.of("health") and not d.healthy(), told="not ready")
        why = side.of("health")[-1]["why"]
        assert why.startswith(f"no broker at {kafka.bootstrap} answers: "), why
    kafka.service("restart")
    for side in (feed, outlet):
        side.wait(Driver.healthy, 60, "ready again")
    assert outlet.end(120)["delivered"] == 400_000
    check_delivered(kafka, "back", 400_000)
    ends = {p: row["end"] for p, row in kafka.offsets("back").items()}
    feed.wait(lambda d: collections.Counter(e["next"] for e in d.of("end")) >= collections.Counter(ends.values()), 60, f"the ends {ends}")
    feed.stop()
    # Its session was over, so that what was not committed came again; the driver has seen to the order of each assignment.
    same({p: sorted(set(rows)) for p, rows in by_partition(rows_of("back")).items()}, expect(kafka, "back"))


def test_away_at_the_start(kafka):
    """No broker when they open: they open, say so, and begin when it comes."""
    kafka.service("stop")
    write_lines("lines", 100)
    try:
        feed = Driver("feed", brokers=kafka.bootstrap, group="later", topic="tx", ends=1)
        outlet = Driver("outlet", brokers=kafka.bootstrap, topic="other", **{"in": "lines"})
        for side in (feed, outlet):
            side.wait(lambda d: d.of("open") and d.of("health"), told="open")
            assert not side.healthy() and "Connection refused" in side.of("health")[-1]["why"], side.events
        alone = Driver("feed", brokers=kafka.bootstrap, group="alone", topic="tx")
        alone.wait(lambda d: d.of("health"), told="open")
        began = time.monotonic()
        alone.stop()
        assert time.monotonic() - began < 20, "an end is not held up by a broker that is away"
    finally:
        kafka.service("restart")
    assert feed.end()["messages"] == sum(row["end"] for row in kafka.offsets("tx").values())
    assert outlet.end()["delivered"] == 100


def test_lost_offsets(kafka):
    kafka.create("short", 1)
    kafka.produce("short", ((0, "k", f"v{i}") for i in range(100)))
    kafka.tool("commit", "short-a", "short", 0, 10)
    kafka.tool("commit", "short-b", "short", 0, 1000)
    kafka.tool("trim", "short", 0, 50)
    for group, text in (("short-a", "short [0]: offset 10 is next, but the log begins at 50"),
                        ("short-b", "short [0]: offset 1000 is next, but the log ends at 100")):
        feed = Driver("feed", brokers=kafka.bootstrap, group=group, topic="short")
        feed.end(code=65)
        failure = feed.of("failure")[0]
        assert failure["status"] == "E_DATA" and text in failure["text"] and "to go on" in failure["text"], failure
    # The engine asks for what the log no longer has.
    kafka.tool("commit", "short-c", "short", 0, 60)
    feed = Driver("feed", brokers=kafka.bootstrap, group="short-c", topic="short", back=30)
    feed.end(code=65)
    assert "short [0]: offset 30 is next, but the log does not have it" in feed.of("failure")[0]["text"], feed.events


def test_topics_that_are_not_there(kafka):
    for kind, options in (("feed", {"group": "none"}), ("outlet", {"in": "lines"})):
        run = Driver(kind, brokers=kafka.bootstrap, topic="nowhere", **options)
        run.end(code=66)
        assert "the topic nowhere is not there (create the topic)" in run.events[0]["text"], run.events
    run = Driver("feed", brokers=kafka.bootstrap, group="none", topic="no/name")
    run.end(code=69)
    assert "no/name is no name of a topic" in run.events[0]["text"], run.events
    # Asking made none of them.
    assert "nowhere" not in kafka.service("topic", "--list").split()


def test_topic_that_vanishes(kafka):
    kafka.create("fleeting", 2)
    kafka.produce("fleeting", [(0, "k", "first"), (1, "k", "second")])
    feed = Driver("feed", brokers=kafka.bootstrap, group="fleeting", topic=["fleeting", "tx"], start="earliest", store=1, out="fleeting", seconds=120)
    feed.wait(lambda d: d.healthy() and len(d.owned()) == 6, told="ready")
    feed.wait(lambda d: len([e for e in d.of("end") if e["next"] == 1]) == 2, told="the first messages")
    kafka.tool("delete", "fleeting")
    feed.wait(lambda d: not d.healthy() and "the topic fleeting is not there" in d.of("health")[-1]["why"], 40, "not ready")
    kafka.create("fleeting", 2)
    kafka.produce("fleeting", [(0, "k", "third"), (1, "k", "fourth")])
    feed.wait(Driver.healthy, 40, "ready again")
    feed.wait(lambda d: len([e for e in d.of("end") if e["next"] == 1]) >= 4, 40, "the new messages")
    feed.stop()
    assert sorted(r[4] for r in rows_of("fleeting") if r[0] == "fleeting") == ["first", "fourth", "second", "third"]


def test_raw_options(kafka):
    for raw, words in (("enable.auto.offset.store:true", "is not free"), ("group.id:x", "write kafka.group"),
                       ("no.such.option:1", "No such configuration property"), ("linger.ms:soon", "linger.ms")):
        run = Driver("feed", brokers=kafka.bootstrap, group="raw", topic="tx", raw=[raw])
        run.end(code=78)
        assert words in run.events[0]["text"], run.events


def main():
    os.chdir(tempfile.mkdtemp(prefix="ride-test-kafka-"))
    tests = [(name, test) for name, test in globals().items() if name.startswith("test_")]
    wanted = sys.argv[1:]
    with Kafka() as kafka:
        for name, test in tests:
            if wanted and name not in wanted and name != "test_order_and_offsets":
                continue
            began = time.monotonic()
            test(kafka)
            print(f"{name}: ok, {time.monotonic() - began:.1f} s", flush=True)


main()
