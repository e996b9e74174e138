#!/usr/bin/env python3
# ride-test: timeout=600 release-only (what is checked is the same in every build)
"""deploy/Dockerfile and deploy/compose.yaml without a registry: what they name is there, the configuration they mount is one that this
program takes, and Prometheus takes its own. The build stage's commands for packages and for the package are run as they stand, as far as this
machine can: the package list, and a configure of the tree as the image sees it. With a Docker daemon and RIDE_TEST_DOCKER=1 the image is built and asked
for its version; tests/long/container.sh builds and runs it without one."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import yaml
except ImportError as missing:
    print(f"skipped: {missing} (scripts/setup)")
    sys.exit(77)

TOP = Path(os.environ.get("RIDE_SOURCE_DIR") or Path(__file__).resolve().parents[2])
RIDE = Path(os.environ.get("RIDE_BIN") or TOP / "build/release/bin/ride")
DEPLOY = TOP / "deploy"


def run(*command, **more):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, **more)
    assert done.returncode == 0, (command, (done.stdout + done.stderr)[-3000:])
    return done.stdout


def instructions():
    text = re.sub(r"\\\n", " ", (DEPLOY / "Dockerfile").read_text())
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, rest = line.partition(" ")
            yield name, rest


def ignored():
    return [line.strip() for line in (TOP / ".dockerignore").read_text().splitlines() if line.strip()]


def check_dockerfile():
    steps = list(instructions())
    bases = [rest.split()[0] for name, rest in steps if name == "FROM"]
    assert bases == ["debian:12-slim"] * 2, bases
    for name, rest in steps:
        if name == "COPY" and not rest.startswith("--from"):
            source = rest.split()[0]
            assert (TOP / source).exists() and source.split("/")[0] not in ignored(), source
    last = [name for name, _ in steps][[name for name, _ in steps].index("FROM", 1):]
    assert ("USER", "ride") in steps and last.index("USER") > last.index("RUN"), "it runs as root"
    assert ("STOPSIGNAL", "SIGTERM") in steps
    packages = next(re.search(r"\$\((awk .*)\)", rest)[1] for _, rest in steps if "packages.list" in rest and "awk" in rest)
    wanted = run("sh", "-c", packages, cwd=TOP).split()
    assert "librdkafka-dev" in wanted and "gcc" in wanted and "python3-venv" not in wanted and len(wanted) > 12, wanted
    return steps


def check_configure(steps, scratch):
    """The tree as the image sees it (what git has, less .dockerignore) configures with the Dockerfile's own line."""
    tree = Path(scratch) / "src"
    listing = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=TOP, capture_output=True, check=False)
    if listing.returncode != 0:
        return "not configured: no git checkout"
    skip = set(ignored())
    for name in filter(None, listing.stdout.decode().split("\0")):
        if name.split("/")[0] in skip or not (TOP / name).is_file():
            continue
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(TOP / name, tree / name)
    line = next(rest for name, rest in steps if name == "RUN" and "--preset" in rest)
    configure, build = line.split(" && ")
    run("sh", "-c", configure, cwd=tree)
    targets = run("cmake", "--build", "build/release", "--target", "help", cwd=tree)
    target = re.search(r"--target (\w+)$", build)[1]
    assert re.search(rf"^{target}:", targets, re.M), f"there is no target {target}"
    assert "unit_programs" not in targets, "the image builds tests"
    return "configured as the image would"


def check_compose(scratch):
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services = compose["services"]
    assert set(services) == {"kafka", "topics", "ride", "prometheus"}
    for name, service in services.items():
        if "image" in service:
            assert re.fullmatch(r"[a-z]+/[a-z]+:v?\d+\.\d+\.\d+", service["image"]), f"{name}: pin {service['image']}"
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), f"{name}: {port} listens to everybody"
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (DEPLOY / source).is_file() if source.startswith(".") else source in compose["volumes"], f"{name}: {volume}"
        for other in service.get("depends_on", {}):
            assert other in services, other
    build = services["ride"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).resolve() == DEPLOY / "Dockerfile"
    # RIDE's configuration with the paths of the package mapped to this tree
    config = (DEPLOY / "compose/ride.yaml").read_text()
    told = yaml.safe_load(config)
    made = set(re.findall(r"([a-z-]+):\d+", services["topics"]["command"][0].split(";")[0]))
    named = {each["topic"] for each in [*told["inputs"].values(), *told["outputs"].values()]}
    assert named == made, f"made {made}, named {named}"
    assert told["kafka"]["brokers"].split(":")[1] in services["kafka"]["environment"]["KAFKA_LISTENERS"]
    local = Path(scratch) / "ride.yaml"
    local.write_text(config.replace("/usr/share/ride/", f"{TOP}/").replace("/var/lib/ride", scratch))
    run(RIDE, "config", "check", "--config", local)
    if shutil.which("promtool"):
        shutil.copy(DEPLOY / "prometheus/rules.yml", scratch)
        shutil.copy(DEPLOY / "compose/prometheus.yml", scratch)
        run("promtool", "check", "config", Path(scratch) / "prometheus.yml")


def build_image():
    if os.environ.get("RIDE_TEST_DOCKER") != "1":
        return "image not built: RIDE_TEST_DOCKER=1 asks for it"
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode != 0:
        return "image not built: no Docker daemon here"
    run("docker", "build", "-t", "ride-test", "-f", DEPLOY / "Dockerfile", TOP)
    assert run("docker", "run", "--rm", "ride-test", "version").startswith("ride ")
    return "image built and run"


def main():
    if not RIDE.exists():
        print("no ride program")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as scratch:
        steps = check_dockerfile()
        print(f"Dockerfile: {len(steps)} instructions; {check_configure(steps, scratch)}; {build_image()}")
        check_compose(scratch)
        print("compose.yaml: services, mounts, topics and configurations fit together")


if __name__ == "__main__":
    main()
