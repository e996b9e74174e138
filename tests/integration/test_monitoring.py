#!/usr/bin/env python3
# ride-test: timeout=400
# ride-test: waits
"""What deploy/ has for Prometheus and Grafana, run by a real Prometheus: promtool's own checks, then a scrape of the real registry with made-up
traffic, every query of every panel and every rule over it; then the same over a `ride run` that scores events by HTTP, without a broker: there a query is
excused from having a result when a family that it reads has no series, and those families are the ones of WITHOUT_KAFKA. With RIDE_METRICS_TARGET=HOST:PORT
a running engine's admin listener is scraped instead, whose families may be any. RIDE_SCRAPES: readings to wait for (15)."""
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path

TOP = Path(os.environ.get("RIDE_SOURCE_DIR") or Path(__file__).resolve().parents[2])
sys.path.insert(0, str(TOP / "tests/support"))
from http_log import EXAMPLE, RULES as DECISIONS  # noqa: E402
from http_ride import HttpRide, events_of  # noqa: E402
from metrics_server import Page, Server, Traffic, build_page  # noqa: E402

TARGET, SCRAPES = os.environ.get("RIDE_METRICS_TARGET"), int(os.environ.get("RIDE_SCRAPES", "15"))
RULES, DASHBOARD = TOP / "deploy/prometheus/rules.yml", json.loads((TOP / "deploy/grafana/ride.json").read_text())
KNOWN = {m[1]: (m[2], set(re.findall(r"`([a-z_]+)`", m[3]))) for m in
         re.finditer(r"^\| `([a-z_]+)` \| (counter|gauge|histogram) \| (.*?) \|", (TOP / "docs/metrics.md").read_text(), re.M)}
QUEUES = {"ride_queue_bytes", "ride_queue_bytes_max"}  # of Kafka's clients
WITHOUT_KAFKA = {family for family in KNOWN if family.startswith("ride_kafka_")} | QUEUES
SUFFIX = re.compile(r"_(bucket|sum|count)$")


def promtool(*arguments, text=None):
    done = subprocess.run(["promtool", *map(str, arguments)], input=text, capture_output=True, check=False, cwd=TOP)
    assert done.returncode == 0, (arguments, (done.stdout + done.stderr).decode()[-3000:])
    return done.stdout.decode()


def family_of(name):
    """The family of docs/metrics.md that a name in a query belongs to."""
    if name in KNOWN:
        return name
    family = SUFFIX.sub("", name)
    return family if KNOWN.get(family, ("", ()))[0] == "histogram" else None


def names_in(query):
    return set(re.findall(r"\b((?:ride|process)_[a-z_]+)\b", query))


def check_page(page):
    """Each sample is one of docs/metrics.md, with exactly its labels, and promtool finds nothing to say about the page."""
    assert promtool("check", "metrics", text=page) == ""
    series = {}
    for line in page.decode().splitlines():
        if line.startswith("#"):
            continue
        name, labels = re.match(r"([a-z_]+)(?:\{(.*)\})? ", line).groups()
        family = family_of(name)
        assert family, f"{name} is not in docs/metrics.md"
        found = set(re.findall(r'([a-z_]+)="', labels or ""))
        assert found - {"le"} == KNOWN[family][1], f"{line}: docs/metrics.md says {KNOWN[family][1]}"
        series.setdefault(family, set()).update({name})
    return series


def panels():
    """(where, query) of every panel's targets, the annotations and the variables; Grafana's variables filled in."""
    def fill(text):
        assert "${datasource}" not in text
        return text.replace("$__rate_interval", f"{max(SCRAPES - 3, 5)}s").replace("$job", "ride").replace("$instance", ".*")
    ids, places = set(), set()
    for panel in DASHBOARD["panels"]:
        assert panel["id"] not in ids
        ids.add(panel["id"])
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & places and place["x"] + place["w"] <= 24, f"{panel['title']} lies over another panel"
        places |= cells
        if panel["type"] == "row":
            continue
        assert panel["targets"] and panel["datasource"]["uid"] == "${datasource}", panel["title"]
        for target in panel["targets"]:
            yield panel["title"], fill(target["expr"])
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            metric, label = re.fullmatch(r"label_values\((.*), ([a-z]+)\)", variable["definition"]).groups()
            yield f"variable {variable['name']}", f"count by ({label}) ({fill(metric)})"


class Prometheus:
    def __init__(self, folder, target):
        self.env = dict(os.environ, RIDE_SERVICE_DIR=str(folder), PROMETHEUS_TARGETS=target, PROMETHEUS_RULES=str(RULES))
        self.script = str(TOP / "tests/services/prometheus/prometheus")
        started = subprocess.run([self.script, "start"], env=self.env, capture_output=True, text=True, check=False)
        if started.returncode == 77:
            print(started.stdout.strip())
            sys.exit(77)
        assert started.returncode == 0, started.stderr
        self.url = started.stdout.strip().removeprefix("url=")

    def api(self, path, **parameters):
        request = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                body = json.load(answer)
        except urllib.error.HTTPError as refused:
            raise AssertionError(f"{parameters}: {refused.read().decode()}") from refused
        assert body["status"] == "success", body
        return body["data"]

    def query(self, text):
        return self.api("query", query=text)["result"]

    def wait(self):
        """Until the target was read often enough and every rule was evaluated once."""
        end = time.monotonic() + 120
        while True:
            seen = self.query(f'count_over_time(up{{job="ride"}}[{SCRAPES * 4}s])')
            rules = [rule for group in self.api("rules")["groups"] for rule in group["rules"]]
            targets = self.api("targets")["activeTargets"]
            if seen and float(seen[0]["value"][1]) >= SCRAPES and all(rule["health"] == "ok" for rule in rules):
                assert [target["health"] for target in targets] == ["up"], targets
                return rules
            assert time.monotonic() < end, (seen, targets, [rule for rule in rules if rule["health"] != "ok"])
            time.sleep(1)

    def stop(self):
        subprocess.run([self.script, "stop"], env=self.env, check=True)


def check_queries(prometheus, page, is_real):
    """Every query is understood, reads only what there is, and has a result where its families have series, which in a made-up page are all."""
    series, empty, count = check_page(page), [], 0
    for where, query in panels():
        for name in names_in(query):
            assert family_of(name), f"{where}: {name} is not in docs/metrics.md"
        result, count = prometheus.query(query), count + 1
        families = {family_of(name) for name in names_in(query)}
        if not result and (not is_real or families <= series.keys()):
            # a filter of what is above zero may leave nothing when nothing was met
            assert re.search(r"> 0\)*$", query) and (is_real or where == "Start"), f"{where}: no result: {query}"
        if not result:
            empty.append(where)
    return count, empty


def check_rules(rules, page, is_real):
    series, alerts = check_page(page), 0
    for rule in rules:
        for name in names_in(rule["query"]):
            assert family_of(name), f"{rule['name']}: {name} is not in docs/metrics.md"
            if not is_real and name != "ride_log_lines_held_total":
                assert family_of(name) in series, f"{rule['name']}: the page has no {name}"
        alerts += rule["type"] == "alerting"
    told = (TOP / "docs/operations.md").read_text()
    tested = (TOP / "deploy/prometheus/rules_test.yml").read_text()
    for rule in rules:
        if rule["type"] == "alerting":
            assert f"`{rule['name']}`" in told, f"docs/operations.md says nothing of {rule['name']}"
            assert f"name: {rule['name']}\n" in tested, f"rules_test.yml does not test {rule['name']}"
    return alerts


def look(folder, target, is_real):
    """All queries and rules over what Prometheus reads at target. The families that have no series there, and the panels that are empty."""
    prometheus = Prometheus(folder, target)
    try:
        rules = prometheus.wait()
        text = urllib.request.urlopen(f"http://{target}/metrics", timeout=10).read()
        missing = KNOWN.keys() - check_page(text).keys()
        alerts = check_rules(rules, text, is_real)
        count, empty = check_queries(prometheus, text, is_real)
    finally:
        prometheus.stop()
    print(f"{count} queries of the dashboard, {len(rules)} rules ({alerts} alerts) by Prometheus over {target}")
    if is_real:
        print(f"families without series there: {', '.join(sorted(missing)) or 'none'}; empty: {', '.join(empty) or 'none'}")
    return missing


def over_made_up_traffic(scratch):
    program, why = build_page(scratch)
    if why == "libride_core.a is not built":
        print(why)
        sys.exit(77)
    assert program, why
    page = Page(program)
    server = Server(Traffic(page))
    try:
        missing = look(Path(scratch) / "made-up", server.address, is_real=False)
    finally:
        server.close()
        page.close()
    assert not missing, f"metrics_page.c has no {missing}"


def over_a_run(scratch):
    """Events, repeats and what is no event, as long as it takes."""
    spec = Path(scratch) / "spec.yaml"
    spec.write_text((EXAMPLE / "features.yaml").read_text().replace("format: csv", "format: json"))
    service = HttpRide(scratch, "run", f"spec: {spec}\nmodel: {EXAMPLE}/model/model.json\n{DECISIONS}").start()
    events, codes, over = events_of(scratch, 20000), {}, threading.Event()

    def client():
        for number, event in enumerate(events):
            for body in (event, *(["{"] if number % 10 == 0 else ()), *([event] if number % 10 == 5 else ())):
                status = service.post("/v1/score", body)[0]
                codes[status] = codes.get(status, 0) + 1
            if over.wait(0.005):
                return
    thread = threading.Thread(target=client)
    thread.start()
    try:
        missing = look(Path(scratch) / "real", service.admin, is_real=True)
        assert thread.is_alive(), "the events came to their end"
    finally:
        over.set()
        thread.join()
        code = service.stop()
        service.close()
    assert code == 0, service.said()
    assert missing == WITHOUT_KAFKA, f"without Kafka there are no series of {missing}, instead of {WITHOUT_KAFKA}"
    assert set(codes) == {200, 400} and codes[200] > 100, codes


def main():
    print(promtool("check", "rules", RULES).strip().splitlines()[-1].strip())
    promtool("test", "rules", "deploy/prometheus/rules_test.yml")
    with tempfile.TemporaryDirectory() as scratch:
        if TARGET is not None:
            look(Path(scratch) / "prometheus", TARGET, is_real=True)
            return
        over_made_up_traffic(scratch)
        over_a_run(scratch)


if __name__ == "__main__":
    import shutil
    if shutil.which("promtool") is None:
        print("no promtool: scripts/setup --dev")
        sys.exit(77)
    main()
