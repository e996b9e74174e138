#!/usr/bin/env python3
# ride-test: timeout=300
"""Bad input of every shape, as CSV, NDJSON and the binary record: a named reason and a place in the dead letters, counted, and the
run goes on; nothing sensitive is ever shown; what cannot be read on ends with its exit code and a message. For every run:
received = scored + duplicates + rejected."""
import gzip
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(os.environ.get("RIDE_SOURCE_DIR") or Path(__file__).resolve().parents[2])
RIDE = os.environ.get("RIDE_BIN") or str(TOP / "build/release/bin/ride")
CANARY = "4929170312345678"
FIELDS = ("id", "at", "card", "shop", "amount", "kind", "rate", "flag", "note")
SPEC = """version: 1
sources:
  tx:
    format: {format}
    event_time: {{field: at, unit: iso8601}}
    event_id: id
    dedup: 1d
    fields:
      id: u64
      card: {{type: string, sensitive: true}}
      shop: u16
      amount: {{type: decimal, scale: 2{minimum}}}
      kind: {{type: string, category: [chip, online]}}
      rate: {{type: f64, nullable: true, max: 10}}
      flag: bool
      note: {{type: string, nullable: true}}
entities:
  card: {{keys: [card], horizon: 7d}}
features:
  - {{entity: card, column: amount, agg: [count, sum], windows: [1d]}}
vector: [amount, "card_*"]
"""
# How a run is started: `ride features run` today; another verb that reads the same way is one more line.
VERBS = {"features run": lambda spec, data, out, rejects: ["features", "run", "--spec", spec, "--input", data, "--output", out,
                                                           "--rejects", rejects],
         "run": lambda spec, data, out, rejects: ["run", "--config", spec.parent / "ride.yaml", "--set", f"inputs.tx.path={data}", "--set",
                                                  f"outputs.decisions.path={out}", "--set", f"outputs.rejects.path={rejects}"]}
failures = []
folder = None
verb = None


def check(condition, case, told):
    if not condition:
        failures.append(f"{verb}: {case}: {told}")


def good(number, **change):
    row = dict(id=str(number), at=f"2026-01-01T00:00:{number % 60:02d}Z", card=CANARY, shop="7", amount="10.00", kind="chip", rate="",
               flag="0", note="")
    row.update(change)
    return row


def csv_line(**change):
    return ",".join(good(2, **change)[name] for name in FIELDS).encode()


def json_line(**change):
    """A value of type bytes is raw JSON; None leaves the member out."""
    members = []
    for name, value in good(2, **change).items():
        if value is None or (value == "" and name in ("rate", "note")):
            continue
        text = value if isinstance(value, bytes) else json.dumps(value).encode()
        members.append(b'"%s":%s' % (name.encode(), text))
    return b"{" + b",".join(members) + b"}"


class Run:
    """One run: exit code, stderr, rows of the output, dead letters, counts of the summary."""

    def __init__(self, case, data, form="csv", minimum=", min: 0", spec=None, name=None, options=()):
        spec_path, out, rejects = folder / "spec.yaml", folder / "out.csv", folder / "rejects.ndjson"
        for path in (out, rejects):
            path.unlink(missing_ok=True)
        (folder / "ride.yaml").write_text("spec: spec.yaml\n")
        spec_path.write_text(spec or SPEC.format(format=form, minimum=minimum))
        path = folder / (name or "in")
        if data is not None:
            path.write_bytes(data)
        done = subprocess.run([RIDE, *map(str, VERBS[verb](spec_path, path, out, rejects)), *options], capture_output=True, timeout=60,
                              check=False)
        self.case, self.code, self.err = case, done.returncode, done.stderr.decode()
        self.rows = out.read_text().splitlines()[1:] if out.exists() else []
        text = rejects.read_bytes().decode() if rejects.exists() else ""  # decodes: dead letters are UTF-8
        self.rejects = [json.loads(line) for line in text.splitlines()]
        counts = {word: int(n.replace(",", "")) for n, word in re.findall(r"([\d,]+) (events|scored|rejected|duplicates)[ ,;]", self.err)}
        counts["events"] = counts.get("scored", counts.get("events"))
        self.scored, self.rejected, self.duplicates = (counts.get(w) for w in ("events", "rejected", "duplicates"))
        check(CANARY[:12] not in text and CANARY[:12] not in self.err, case, f"the card is shown: {text}{self.err}")
        check("runtime error" not in self.err and "Sanitizer" not in self.err, case, self.err)

    def expect(self, code=0, rows=None, rejects=None, told=None, duplicates=0):
        """rejects: (reason, line, column or None, field or None) of each dead letter."""
        check(self.code == code, self.case, f"exit {self.code}, not {code}: {self.err}")
        if told is not None:
            check(told in self.err, self.case, f"stderr lacks `{told}`: {self.err}")
        if rows is not None:
            answered = rows + (duplicates if verb == "run" else 0)  # a duplicate is answered with the verdict of the first
            check(len(self.rows) == answered, self.case, f"{len(self.rows)} rows, not {answered}")
        if rejects is not None:
            got = [(r["reason"], r["line"], r["column"], r["field"]) for r in self.rejects]
            check(got == rejects, self.case, f"dead letters {got}, not {rejects}")
        if code == 0 and rows is not None:
            counts, want = (self.scored, self.rejected, self.duplicates), (rows, len(self.rejects), duplicates)
            check(counts == want, self.case, f"counted {counts}, not {want} (scored, rejected, duplicates)")
        return self


def between(bad, rejects, rows=2, duplicates=0, case=None, header=True, end=b"\n", **options):
    """A bad CSV line between two good ones: it is line 3."""
    lines = [",".join(FIELDS).encode()] * header + [",".join(good(1).values()).encode(), bad, ",".join(good(3).values()).encode()]
    return Run(case or f"csv {bad[:60]!r}", end.join(lines) + end, **options).expect(0, rows, rejects, duplicates=duplicates)


def csv_rows():
    at = {name: sum(len(good(2)[n]) + 1 for n in FIELDS[:i]) + 1 for i, name in enumerate(FIELDS)}  # 1-based byte of each field

    def value(name, text, reason, **options):
        between(csv_line(**{name: text}), [(reason, 3, at[name], name)], **options)

    between(b"nonsense", [("too_few_fields", 3, None, None)])
    between(b",,,", [("too_few_fields", 3, None, None)])
    between(csv_line() + b",x", [("too_many_fields", 3, None, None)])
    between(csv_line(card=f"{CANARY},{CANARY}"), [("too_many_fields", 3, None, None)])
    between(csv_line(card=f'"{CANARY}'), [("bad_quotes", 3, None, None)])
    between(csv_line(card=f'"{CANARY}"x'), [("bad_quotes", 3, None, None)])
    between(csv_line(card=f'{CANARY}"'), [("bad_quotes", 3, None, None)])
    between(csv_line(note="x" * (1 << 20)), [("overlong_line", 3, None, None)])
    between(csv_line(note='"' + "x" * (1 << 20)), [("overlong_line", 3, None, None)])
    value("id", "x", "not_an_integer")
    value("id", "-1", "out_of_range")
    value("id", "18446744073709551616", "out_of_range")
    value("id", "", "missing_value")
    value("at", "yesterday", "not_a_timestamp")
    value("at", "2026-02-30T00:00:00Z", "not_a_timestamp")
    value("at", "0000-01-01T00:00:00Z", "time_out_of_range")
    value("at", "0001-01-01T00:00:00+23:00", "time_out_of_range")
    value("at", "10000-01-01T00:00:00Z", "not_a_timestamp")
    value("card", "", "missing_value")
    value("shop", "65536", "out_of_range")
    value("shop", "7.0", "not_an_integer")
    value("shop", " 7", "not_an_integer")
    value("amount", "-3.10", "below_min")
    value("amount", "NaN", "not_finite")
    value("amount", "-inf", "not_finite")
    value("amount", "1e400", "out_of_range")
    value("amount", "0x10", "not_a_number")
    value("amount", "12 EUR", "not_a_number")
    value("kind", "swipe", "unknown_category")
    value("rate", "Infinity", "not_finite")
    value("rate", "nan", "not_finite")
    value("rate", "10.5", "above_max")
    value("flag", "maybe", "not_a_bool")
    bad = csv_line(note="#").replace(b"#", b"\xff\xfe")
    between(bad, [("invalid_utf8", 3, at["note"], "note")])
    bad = csv_line(card="#").replace(b"#", CANARY.encode() + b"\xc0\x80")
    run = between(bad, [("invalid_utf8", 3, at["card"], "card")])
    check(run.rejects[0]["original"] == csv_line(card="***").decode(), "redaction", run.rejects[0]["original"])
    between(csv_line(amount="-3.10"), [], rows=3, minimum="", case="a negative amount without a minimum")
    between(csv_line(id="1"), [], duplicates=1, case="a duplicate")
    between(csv_line(id="1", amount="x"), [("not_a_number", 3, at["amount"], "amount")], case="a bad row with the id of a good one")
    between(b"", [], case="a blank line")
    between(csv_line(), [], rows=3, end=b"\r\n", case="CRLF")
    between(b"x", [("too_few_fields", 3, None, None)], end=b"\r\n", case="CRLF and a bad row")
    between(csv_line(note='"a ""b"", c"'), [], rows=3, case="quotes")
    between(csv_line(note='"two\nlines"', shop="x"), [("not_an_integer", 3, at["shop"], "shop")], case="a bad row of two lines")
    run = between(csv_line(note="'; DROP TABLE tx; --\x00\x1b[31m", shop="x"), [("not_an_integer", 3, at["shop"], "shop")])
    check("\\u0000\\u001b" in (folder / "rejects.ndjson").read_text(), run.case, "control characters are not escaped")
    text = b"\n".join([",".join(FIELDS).encode(), csv_line(id="1"), csv_line(shop="x"), csv_line(id="3")])
    bad = [("not_an_integer", 3, at["shop"], "shop")]
    Run("no line feed at the end", text).expect(0, 2, bad)
    Run("BOM", b"\xef\xbb\xbf" + text + b"\n").expect(0, 2, bad)
    Run("gzip", gzip.compress(text)).expect(0, 2, bad)
    Run("strict", text, options=["--strict"]).expect(65, 2, bad)
    # columns in another order, one that nobody declared, and bad rows only
    names = ",".join(reversed(FIELDS)) + ",more\n"
    line = ",".join(good(1)[n] for n in reversed(FIELDS)) + ",\xff\n"
    Run("other order", names.encode() + line.encode("latin-1")).expect(0, 1, [])
    Run("bad rows only", ",".join(FIELDS).encode() + b"\n" + b"x\n" * 5000).expect(0, 0, [("too_few_fields", n + 2, None, None)
                                                                                       for n in range(5000)])


def json_rows():
    def line(bad, reason, field=None, rows=2, duplicates=0):
        text = b"\n".join([json_line(id="1"), bad, json_line(id="3")]) + b"\n"
        rejects = [] if reason is None else [reason]
        run = Run(f"ndjson {bad[:60]!r}", text, "json").expect(0, rows, duplicates=duplicates)
        got = [(r["reason"], r["line"], r["field"]) for r in run.rejects]
        check(got == [(r, 2, field) for r in rejects], run.case, f"dead letters {got}")
        for r in run.rejects:
            if field is not None and r["column"] is not None:
                check(bad[:r["column"] - 1].endswith(b'"%s":' % field.encode()), run.case, f"column {r['column']} is not the value's")
        return run

    card = b'"card":"' + CANARY.encode() + b'"'
    line(b"nonsense", "bad_json")
    line(b'"' + CANARY.encode() + b'"', "bad_json")
    line(b"[" + json_line() + b"]", "bad_json")
    line(json_line()[:-1], "bad_json")
    line(json_line() + json_line(), "bad_json")
    line(json_line().replace(b",", b";", 1), "bad_json")
    line(json_line(rate=b"NaN"), "bad_json")
    line(json_line(amount=b"01"), "bad_json")
    line(json_line(note=b'"\xff"'), "invalid_utf8")
    line(json_line(note=b'"' + b"x" * (1 << 20) + b'"'), "overlong_line")
    line(b"{" + b'"x":' + b"[" * 500 + b"]" * 500 + b"," + json_line()[1:], "bad_json")
    line(json_line(shop=None), "missing_field", "shop")
    line(json_line(card=None), "missing_field", "card")
    line(json_line(card=None)[:-1] + b',"Card":"' + CANARY.encode() + b'"}', "missing_field", "card")
    line(json_line(shop=None)[:-1] + b',"inner":{' + card + b"}}", "missing_field", "shop")
    line(json_line(shop=b"null"), "missing_value", "shop")
    line(json_line(shop=b"7.5"), "not_an_integer", "shop")
    line(json_line(shop="x"), "not_an_integer", "shop")
    line(json_line(shop=b"true"), "wrong_type", "shop")
    line(json_line(card=CANARY.encode()), "wrong_type", "card")
    line(json_line(card=b'["' + CANARY.encode() + b'"]'), "wrong_type", "card")
    line(json_line(card=b'{"n":"' + CANARY.encode() + b'"}'), "wrong_type", "card")
    line(json_line()[:-1] + b"," + card + b"}", "duplicate_field", "card")
    line(json_line()[:-1] + b',"shop":8}', "duplicate_field", "shop")
    line(json_line(amount="NaN"), "not_finite", "amount")
    line(json_line(amount=b"-1"), "below_min", "amount")
    line(json_line(rate=b"1e999"), "out_of_range", "rate")
    line(json_line(rate=b"11"), "above_max", "rate")
    line(json_line(at="2026-13-01"), "not_a_timestamp", "at")
    line(json_line(at=b"5"), "wrong_type", "at")
    line(json_line(kind="swipe"), "unknown_category", "kind")
    line(json_line(flag="x"), "not_a_bool", "flag")
    line(json_line()[:-1] + b',"more":[1,{"x":null}]}', None, rows=3)
    line(json_line(id="1"), None, duplicates=1)
    line(b" \t", None)
    run = line(json_line(shop="x"), "not_an_integer", "shop")
    check(json.loads(run.rejects[0]["original"].replace('***', '"***"'))["card"] == "***", run.case, run.rejects[0]["original"])
    text = b"\r\n".join([json_line(id="1"), b"", json_line(shop="x"), json_line(id="3")])
    Run("ndjson BOM, CRLF, no line feed at the end", b"\xef\xbb\xbf" + text, "json").expect(0, 2)
    Run("ndjson empty", b"", "json").expect(65, told="the input is empty")


KINDS = {"id": (4, "<Q"), "at": (14, "<q"), "card": (13, "<I"), "shop": (6, "<h"), "amount": (12, "<q"), "kind": (13, "<I"),
         "rate": (10, "<d"), "flag": (1, "B"), "note": (13, "<I")}


def binary_header(names=FIELDS, scale=2):
    columns, place, strings = b"", 0, 0
    for name in names:
        kind, form = KINDS[name]
        columns += struct.pack("<BBHIHH", kind, 0, scale if kind == 12 else 0, place, len(name), 0) + name.encode()
        place += struct.calcsize(form)
        strings += kind == 13
    total = (40 + len(columns) + 7) // 8 * 8
    body = struct.pack("<IIII", len(names), place, 0, strings) + columns
    body += b"\0" * (total - 24 - len(body))
    value = 14695981039346656037
    for byte in body:
        value = (value ^ byte) * 1099511628211 % (1 << 64)
    return b"RIDEROWS" + struct.pack("<IIQ", 1, total, value) + body


def binary_row(**change):
    row = dict(id=2, at=1767225600_000000, card=CANARY.encode(), shop=7, amount=1000, kind=b"chip", rate=float("nan"), flag=0, note=b"")
    row.update(change)
    fixed, tail = b"", b""
    for name in FIELDS:
        kind, form = KINDS[name]
        fixed += struct.pack(form, len(row[name]) if kind == 13 else row[name])
        tail += row[name] if kind == 13 else b""
    return fixed + tail


def binary_rows():
    def row(bad, reason, field, rows=2, duplicates=0):
        run = Run(f"binary {field} {reason}", binary_header() + binary_row(id=1) + bad + binary_row(id=3), "binary")
        run.expect(0, rows, duplicates=duplicates)
        got = [(r["reason"], r["line"], r["field"]) for r in run.rejects]
        check(got == ([(reason, 2, field)] if reason else []), run.case, f"dead letters {got}")

    row(binary_row(), None, None, rows=3)
    row(binary_row(id=1), None, None, duplicates=1)
    row(binary_row(shop=-1), "out_of_range", "shop")
    row(binary_row(amount=-1), "below_min", "amount")
    row(binary_row(amount=-(1 << 63)), "out_of_range", "amount")
    row(binary_row(rate=float("inf")), "not_finite", "rate")
    row(binary_row(rate=11.0), "above_max", "rate")
    row(binary_row(at=1 << 62), "time_out_of_range", "at")
    row(binary_row(flag=2), "not_a_bool", "flag")
    row(binary_row(kind=b"swipe"), "unknown_category", "kind")
    row(binary_row(card=CANARY.encode() + b"\xff"), "invalid_utf8", "card")
    whole = binary_header() + binary_row(id=1) + binary_row(id=2)
    Run("binary cut", whole[:-5], "binary").expect(65, rows=1, told="ends within a record")
    Run("binary with a huge string", whole + struct.pack("<QqI", 9, 0, 1 << 31) + b"x" * 60, "binary").expect(65, 2, told="longer than the limit")
    Run("binary, header cut", whole[:60], "binary").expect(65, told="ends within it")
    Run("binary, header changed", whole[:50] + b"!" + whole[51:], "binary").expect(65, told="its hash is wrong")
    Run("binary, another version", whole[:8] + b"\2" + whole[9:], "binary").expect(65, told="another version")
    Run("CSV given as binary", b"id,at\n" + b"x" * 100, "binary").expect(65, told="no binary record file")
    Run("binary lacks a field", binary_header(FIELDS[:-1]), "binary").expect(65, told="lacks note")
    Run("binary empty", b"", "binary").expect(65, told="the input is empty")


def whole_inputs():
    header = ",".join(FIELDS).encode() + b"\n"
    many = header + b"".join(csv_line(id=str(n)) + b"\n" for n in range(20000))
    Run("empty", b"").expect(65, told="the input is empty")
    Run("a BOM only", b"\xef\xbb\xbf").expect(65, told="the input is empty")
    Run("header only", header).expect(0, 0, [])
    Run("no header", many[len(header):]).expect(65, told="there is no header line")
    Run("a header that lacks fields", b"id,at,card\n").expect(65, told="the header lacks")
    Run("a header that names a field twice", header[:-1] + b",id\n").expect(65, told="names id twice")
    Run("UTF-16", many.decode().encode("utf-16")).expect(65)
    Run("a header without end", b"x" * (3 << 20)).expect(65, told="longer than the limit")
    packed = gzip.compress(many)
    run = Run("gzip cut", packed[:len(packed) // 2]).expect(65, told="the gzip input is truncated")
    check(0 < len(run.rows) < 20000, run.case, f"{len(run.rows)} rows before the damage")
    Run("gzip damaged", packed[:len(packed) // 2] + b"\0" * 100 + packed[len(packed) // 2 + 100:]).expect(65, told="gzip input is damaged")
    Run("gzip, header cut", packed[:5]).expect(65, told="gzip input is truncated")
    if shutil.which("zstd"):
        packed = subprocess.run(["zstd", "-q", "-c"], input=many, stdout=subprocess.PIPE, check=True).stdout
        run = Run("zstd cut", packed[:-20]).expect(65, told="the zstd input is truncated")
        Run("zstd damaged", packed[:40] + b"\xff" * 40 + packed[80:]).expect(65, told="zstd input is damaged")
        Run("zstd, header cut", packed[:5]).expect(65, told="zstd input is truncated")
    Run("no such file", None, name="nowhere").expect(66, told="No such file")
    (folder / "dangling").unlink(missing_ok=True)
    (folder / "dangling").symlink_to(folder / "gone")
    Run("a dangling link", None, name="dangling").expect(66, told="No such file")
    (folder / "dir").mkdir(exist_ok=True)
    Run("a directory", None, name="dir").expect(66, told="a directory")
    if verb != "run":
        Run("two inputs of one source", many, options=["--input", str(folder / "in")]).expect(64, told="two inputs for the source `tx`")
        Run("an input of no source", many, options=["--input", f"ty={folder / 'in'}"]).expect(64, told="no source `ty`")
    # a spec with several errors: all are told, each with its place
    spec = SPEC.format(format="csv", minimum="").replace("horizon", "horizn").replace("agg: [count, sum]", "agg: [coutn]").replace("id: u64", "id: u65")
    run = Run("a spec with three errors", many, spec=spec).expect(78)
    found = re.findall(r"spec\.yaml:\d+:\d+: ", run.err)
    check(len(found) >= 3, run.case, f"{len(found)} findings: {run.err}")
    Run("a spec that is no YAML", many, spec="version: [1\n").expect(78, told="spec.yaml:")
    Run("an empty spec", many, spec=" \n").expect(78)


def memory():
    """A budget is refused with its arithmetic before a byte is read; outgrowing the machine's share ends with advice, rows kept."""
    header = ",".join(FIELDS).encode() + b"\n"
    many = header + b"".join(csv_line(id=str(n), card=f"card{n}") + b"\n" for n in range(60000))
    spec = SPEC.format(format="csv", minimum=", min: 0, max: 1000").replace("horizon: 7d", "horizon: 7d, expected_keys: 1_000_000, max_events: 64")
    run = Run("a spec over its budget", many, spec=spec.replace("version: 1", "version: 1\nmemory: 10MiB")).expect(78, told="the budget is 10485760")
    check(re.search(r"spec\.yaml:2:9: .* need \d+ bytes", run.err) is not None, run.case, run.err)
    Run("a spec within its budget", header, spec=spec.replace("version: 1", "version: 1\nmemory: 1TiB")).expect(0, 0, [])
    if verb == "run":
        run = Run("a state that outgrows its memory", many, options=["--set", "backend.memory=2MiB"])
        run.expect(71, told="has outgrown its memory after")
        check(1000 < len(run.rows) < 60000 and "features explain" in run.err, run.case, f"{len(run.rows)} rows: {run.err}")


def outputs():
    """Full disks and closed pipes."""
    header = ",".join(FIELDS).encode() + b"\n"
    (folder / "in").write_bytes(header + b"".join(csv_line(id=str(n), shop=str(n % 3)) + b"\n" + b"x\n" for n in range(50000)))
    (folder / "spec.yaml").write_text(SPEC.format(format="csv", minimum=""))

    def run(case, out, rejects, told, **options):
        command = [RIDE, *map(str, VERBS[verb](folder / "spec.yaml", folder / "in", out, rejects))]
        done = subprocess.run(command, stderr=subprocess.PIPE, timeout=60, check=False, **options)
        check(done.returncode == 74, case, f"exit {done.returncode}: {done.stderr.decode()}")
        check(told in done.stderr.decode(), case, done.stderr.decode())

    run("a full disk", "/dev/full", folder / "rejects", "the disk is full")
    run("a full disk for the dead letters", folder / "out", "/dev/full", "the disk is full")
    run("no folder for the output", folder / "no/out", folder / "rejects", "No such file")
    run("the output is a folder", folder, folder / "rejects", "Is a directory")
    read_end, write_end = os.pipe()
    os.close(read_end)
    run("a closed pipe", "-", folder / "rejects", "closed the pipe", stdout=write_end)
    os.close(write_end)


def main():
    global folder, verb
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for verb in VERBS:
            for part in (csv_rows, json_rows, binary_rows, whole_inputs, memory, outputs):
                part()
    print("\n".join(failures[:40]) or "bad input: every case has its reason, its place and its exit code; no card was shown")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
