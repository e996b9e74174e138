"""The oracle: are these results what the service owes for these inputs? It knows nothing of the engine, only what was promised
(docs/guarantees.md: at least once):

  lost       an input that has no result
  changed    results of one input that differ in a byte: value, key, headers
  invented   a result of no input, or of none at all, or with another key than its input's
  disordered first results of a key (and of a partition of the input within one of the output) that are not in the order of the inputs
  wrong      a result that is not, to the byte, what an independent run gave

    python3 tests/fault/oracle.py --topic NAME --inputs F.records --results F.records [--rejects F.records] [--expected F.records | --expected-lines F]
                                  [--id-field NAME] [--need-duplicates]

Inputs and results are dumps of whole topics (tests/kafka/topic.c). Rejects are dead letters, which answer an input as well, but not beside a result. Expected results
are a dump whose headers name the same inputs; or lines of text, one for each input that has a result, partition by partition. Prints one
JSON object; exit 0 when nothing was found, 1 else. --need-duplicates: no duplicate at all is a finding too (nothing was hit)."""
import argparse
import json
import sys

import records

TOLD_MAX = 10  # findings of a kind that are told in full


class Findings:
    def __init__(self):
        self.counts, self.told = {}, {}

    def add(self, kind, text):
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if self.counts[kind] <= TOLD_MAX:
            self.told.setdefault(kind, []).append(text)


def source_of(record):
    """(topic, partition, offset) that a result names, or None."""
    headers = dict(record.headers)
    try:
        return headers[b"source_topic"].decode(), int(headers[b"source_partition"]), int(headers[b"source_offset"])
    except (KeyError, ValueError, AttributeError):
        return None


def place(record):
    return f"{record.partition}/{record.offset}"


def first_results(topic, inputs, results, findings, what="result"):
    """Input -> its first result, of the results that are of an input; counts the duplicates, which must be alike."""
    first, duplicates = {}, 0
    for result in results:
        source = source_of(result)
        if source is None or source[0] != topic or source[1:] not in inputs:
            findings.add("invented", f"the {what} at {place(result)} is of no input: {source}")
            continue
        known = first.setdefault(source[1:], result)
        if known is result:
            if what == "result" and result.key != inputs[source[1:]].key:
                findings.add("invented", f"the {what} at {place(result)} has the key {result.key}, its input {source[1:]} {inputs[source[1:]].key}")
            continue
        duplicates += 1
        if (result.key, result.value, result.headers) != (known.key, known.value, known.headers):
            findings.add("changed", f"the {what}s of {source[1:]} at {place(known)} and {place(result)} differ: {known.value!r} {result.value!r}")
    return first, duplicates


def check_order(inputs, first, findings):
    """`first` is in the order of the output log, partition by partition."""
    last_of_key, last_of_partition = {}, {}
    for source, result in first.items():
        partition, offset = source
        for last, name in ((last_of_key, (result.partition, partition, inputs[source].key)), (last_of_partition, (result.partition, partition))):
            if last.get(name, -1) > offset:
                findings.add("disordered", f"the result of {source} at {place(result)} comes behind that of offset {last[name]}")
                break
            last[name] = offset


def check_ids(inputs, first, field, findings):
    for source, result in first.items():
        told = dict(result.headers).get(b"event_id")
        meant = json.loads(inputs[source].value).get(field)
        if told != str(meant).encode():
            findings.add("invented", f"the result of {source} names event {told}, its input {meant}")


def check_expected(inputs, first, expected, findings):
    """expected: input -> bytes of its result's value."""
    for source, result in first.items():
        if source not in expected:
            findings.add("wrong", f"{source} has a result, where an independent run has none")
        elif expected[source] != result.value:
            findings.add("wrong", f"the result of {source} at {place(result)} is {result.value!r}, not {expected[source]!r}")


def judge(topic, inputs, results, rejects=(), expected=None, id_field=None):
    """The report of a run. inputs, results, rejects: iterables of records; expected: see check_expected."""
    findings = Findings()
    inputs = {(record.partition, record.offset): record for record in inputs}
    first, duplicates = first_results(topic, inputs, results, findings)
    refused, duplicates_refused = first_results(topic, inputs, rejects, findings, "dead letter")
    for source in inputs:
        if source not in first and source not in refused:
            findings.add("lost", f"{source} has no result")
    for source in refused.keys() & first.keys():
        findings.add("changed", f"{source} has a result and a dead letter")
    check_order(inputs, first, findings)
    if id_field is not None:
        check_ids(inputs, first, id_field, findings)
    if expected is not None:
        check_expected(inputs, first, expected, findings)
    return {"inputs": len(inputs), "with_result": len(first), "refused": len(refused), "duplicates": duplicates + duplicates_refused,
            "findings": findings.counts, "told": findings.told}


def expected_of_dump(path):
    return {source_of(record)[1:]: record.value for record in records.read(path)}


def expected_of_lines(path, sources):
    """Line by line for the sources that have a result, in the order of partitions and offsets."""
    with open(path, "rb") as file:
        lines = file.read().splitlines()
    if len(lines) != len(sources):
        raise SystemExit(f"{path}: {len(lines)} lines for {len(sources)} inputs with a result")
    return dict(zip(sorted(sources), lines))


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--topic", required=True)
    options.add_argument("--inputs", required=True)
    options.add_argument("--results", required=True)
    options.add_argument("--rejects")
    options.add_argument("--expected")
    options.add_argument("--expected-lines")
    options.add_argument("--id-field")
    options.add_argument("--need-duplicates", action="store_true")
    given = options.parse_args()
    results = list(records.read(given.results))
    expected = expected_of_dump(given.expected) if given.expected else None
    if given.expected_lines:
        expected = expected_of_lines(given.expected_lines, {source_of(r)[1:] for r in results if source_of(r) is not None})
    report = judge(given.topic, records.read(given.inputs), results, records.read(given.rejects) if given.rejects else (),
                   expected, given.id_field)
    if given.need_duplicates and report["duplicates"] == 0:
        report["findings"]["nothing_hit"] = 1
    json.dump(report, sys.stdout, indent=1)
    print()
    return 1 if report["findings"] else 0


if __name__ == "__main__":
    sys.exit(main())
