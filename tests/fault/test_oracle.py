"""The oracle finds what is planted into a good set of results, each of it by its own name, and nothing in a good set."""
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import oracle
import records

TOPIC, EVENTS, PARTITIONS, KEYS = "tx", 5000, 4, 97


def make_inputs(chance):
    counts, inputs = [0] * PARTITIONS, []
    for index in range(EVENTS):
        key = b"card-%d" % chance.randrange(KEYS)
        partition = sum(key) % PARTITIONS  # one key, one partition
        inputs.append(records.Record(partition, counts[partition], index, key, b'{"id":%d}' % index, ()))
        counts[partition] += 1
    return inputs


def result_of(record, partition, offset):
    headers = ((b"event_id", record.value[6:-1]), (b"source_topic", TOPIC.encode()), (b"source_partition", b"%d" % record.partition),
               (b"source_offset", b"%d" % record.offset), (b"spec_hash", b"ab"))
    return records.Record(partition, offset, 0, record.key, b'{"score":%d.5}' % (record.offset * 7 % 1000), headers)


def make_results(inputs, chance):
    """As a service writes them that is killed now and then: it goes on a little before where it was."""
    out = [[] for _ in range(PARTITIONS)]
    for partition in range(PARTITIONS):
        own, at = [record for record in inputs if record.partition == partition], 0
        while at < len(own):
            stop = min(len(own), at + chance.randrange(20, 400))
            out[partition] += own[at:stop]
            at = stop - chance.randrange(0, 15) if stop < len(own) else stop
    return [result_of(record, partition, offset) for partition in range(PARTITIONS) for offset, record in enumerate(out[partition])]


def places(results):
    """Distinct inputs' first results, by index."""
    first = {}
    for index, result in enumerate(results):
        first.setdefault(oracle.source_of(result), index)
    return list(first.values())


def judge(inputs, results, **more):
    return oracle.judge(TOPIC, inputs, results, id_field="id", **more)


def expect(name, report, *kinds):
    assert set(report["findings"]) == set(kinds), f"{name}: {report}"


def planted(inputs, results, chance):
    """(name, results with a fault, kinds of findings)"""
    once = [index for index in places(results) if sum(oracle.source_of(r) == oracle.source_of(results[index]) for r in results) == 1]
    twice = [index for index in range(len(results)) if index not in set(places(results))]
    for _ in range(5):
        index = chance.choice(once)
        yield "a lost result", results[:index] + results[index + 1:], ["lost"]
        index = chance.choice(twice)
        copy = results[index]
        yield "a duplicate with another byte", results[:index] + [copy._replace(value=copy.value[:-2] + b"6}")] + results[index + 1:], ["changed"]
        yield "a duplicate with another header", results[:index] + [copy._replace(headers=copy.headers[:-1] + ((b"spec_hash", b"ac"),))] + \
            results[index + 1:], ["changed"]
        yield "a duplicate with another key", results[:index] + [copy._replace(key=b"card-x")] + results[index + 1:], ["changed"]
        index = chance.choice(once)
        copy = results[index]
        invented = copy._replace(headers=tuple((n, b"999999" if n == b"source_offset" else v) for n, v in copy.headers))
        yield "an invented result", results[:index] + [copy, invented] + results[index + 1:], ["invented"]
        yield "a result of another topic", results[:index] + [copy, copy._replace(headers=tuple(
            (n, b"other" if n == b"source_topic" else v) for n, v in copy.headers))] + results[index + 1:], ["invented"]
        yield "a result that names nothing", results[:index] + [copy, copy._replace(headers=())] + results[index + 1:], ["invented"]
        yield "another event's id", results[:index] + [copy._replace(headers=((b"event_id", b"x"), *copy.headers[1:]))] + results[index + 1:], ["invented"]
        yield "another key", results[:index] + [copy._replace(key=b"card-x")] + results[index + 1:], ["invented"]
    first = places(results)
    for _ in range(5):  # two neighbours of one partition that come once each
        while True:
            index = chance.randrange(len(first) - 1)
            a, b = first[index], first[index + 1]
            if b == a + 1 and results[a].partition == results[b].partition and a in once and b in once:
                break
        swapped = list(results)
        swapped[a], swapped[b] = swapped[b], swapped[a]
        yield "two results in the wrong order", swapped, ["disordered"]


def test_a_good_set_passes():
    chance = random.Random(1)
    inputs = make_inputs(chance)
    results = make_results(inputs, chance)
    report = judge(inputs, results, expected={oracle.source_of(r)[1:]: r.value for r in results})
    expect("good", report)
    assert report["inputs"] == report["with_result"] == EVENTS and report["duplicates"] > 50, report


def test_what_is_planted_is_found():
    chance = random.Random(2)
    inputs = make_inputs(chance)
    results = make_results(inputs, chance)
    count = 0
    for name, with_fault, kinds in planted(inputs, results, chance):
        expect(name, judge(inputs, with_fault), *kinds)
        count += 1
    assert count == 50


def test_a_flipped_byte_is_found_by_an_independent_run():
    chance = random.Random(3)
    inputs = make_inputs(chance)
    results = make_results(inputs, chance)
    expected = {oracle.source_of(r)[1:]: r.value for r in results}
    for _ in range(5):
        index = chance.randrange(len(results))
        source = oracle.source_of(results[index])
        flipped = [r._replace(value=b"[" + r.value[1:]) if oracle.source_of(r) == source else r for r in results]
        expect("flipped", judge(inputs, flipped))  # all its duplicates alike: only the other run knows
        expect("flipped", judge(inputs, flipped, expected=expected), "wrong")
    del expected[oracle.source_of(results[0])[1:]]
    expect("not expected", judge(inputs, results, expected=expected), "wrong")


def test_dead_letters_answer_an_input():
    chance = random.Random(4)
    inputs = make_inputs(chance)
    results = make_results(inputs, chance)
    refused = oracle.source_of(results[100])
    letters = [r._replace(value=b'{"reason":"bad_json"}', key=None) for r in results if oracle.source_of(r) == refused][:1]
    others = [r for r in results if oracle.source_of(r) != refused]
    expect("refused", judge(inputs, others, rejects=letters))
    expect("both", judge(inputs, results, rejects=letters), "changed")
    expect("neither", judge(inputs, others), "lost")


def test_the_program_reads_dumps_and_says_it_with_its_exit_code():
    chance = random.Random(5)
    inputs = make_inputs(chance)
    results = make_results(inputs, chance)
    with tempfile.TemporaryDirectory() as folder:
        def write(name, items):
            with open(f"{folder}/{name}", "wb") as file:
                for r in items:
                    file.write(records.pack(r.key, r.value, r.partition, r.offset, r.time_ms, r.headers))
            return f"{folder}/{name}"

        def run(results_path, *more):
            return subprocess.run([sys.executable, Path(__file__).with_name("oracle.py"), "--topic", TOPIC, "--inputs", write("in", inputs),
                                   "--results", results_path, *more], capture_output=True, text=True, check=False)

        good = write("good", results)
        assert list(records.read(good)) == results
        assert run(good, "--expected", good, "--need-duplicates", "--id-field", "id").returncode == 0
        once = [results[index] for index in places(results)]
        assert run(write("once", once)).returncode == 0
        assert "nothing_hit" in run(write("once", once), "--need-duplicates").stdout
        ordered = sorted(once, key=oracle.source_of)
        Path(f"{folder}/lines").write_bytes(b"".join(r.value + b"\n" for r in ordered))
        assert run(good, "--expected-lines", f"{folder}/lines").returncode == 0
        bad = run(write("bad", results[1:200] + results[201:]))
        assert bad.returncode == 1 and '"lost"' in bad.stdout, bad
        with open(good, "rb") as file:
            Path(f"{folder}/cut").write_bytes(file.read()[:-1])
        assert run(f"{folder}/cut").returncode not in (0, 1) or "ends within" in run(f"{folder}/cut").stderr


if __name__ == "__main__":
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            test()
            print(f"ok {name}")
