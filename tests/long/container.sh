#!/usr/bin/env bash
# The image of deploy/Dockerfile, built by podman on a Debian 12 that debootstrap makes, and run as deploy/compose.yaml runs it (read-only, without capabilities,
# as nobody's root): ready, healthy, scores an event, keeps its state, drains at a stop, says what is wrong with a configuration by its exit code.
set -euo pipefail
top=${RIDE_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
. "$top/tests/support/debian_tree.sh"
debian_needs podman curl nsenter tar
# With mounts of its own: they end with the test. crun takes no machine that has both hierarchies of control groups, so only the older one is seen then.
if [ "${1:-}" != inside ]; then exec unshare --mount --propagation private bash "$0" inside; fi
! mountpoint -q /sys/fs/cgroup/unified || umount /sys/fs/cgroup/unified
scratch=$(mktemp -d)
export DISABLE_HC_SYSTEMD=true # health is asked for here; podman would ask by a timer of systemd's
pod() { podman --root "$scratch/storage" --runroot "$scratch/run" --cgroup-manager cgroupfs "$@"; }
end() {
    pod rm --force --all --time 0 >/dev/null 2>&1 || true
    pod rmi --force --all >/dev/null 2>&1 || true
    umount "$scratch/storage/overlay" "$scratch/storage" 2>/dev/null || true
    rm -rf "$scratch"
}
trap end EXIT
fail() {
    echo "FAILED: $*"
    pod logs ride 2>&1 | tail -20
    exit 1
}

# As slim as the image that it stands for: no documentation, no translations.
debian_tree "$scratch/base" || exit 1
cat >"$scratch/base/etc/dpkg/dpkg.cfg.d/docker" <<'CFG'
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*
CFG
tar -C "$scratch/base" -cf - . | pod import - docker.io/library/debian:12-slim >"$scratch/import.log" 2>&1 || { cat "$scratch/import.log"; fail "podman import"; }
rm -rf "$scratch/base"
began=$SECONDS
# The format of Docker: the other one has no HEALTHCHECK.
pod build --format docker --network host --pull=never -t ride -f "$top/deploy/Dockerfile" "$top" >"$scratch/build.log" 2>&1 || { tail -40 "$scratch/build.log"; fail "podman build"; }
size=$(pod image inspect -f '{{.Size}}' ride)
echo "built in $((SECONDS - began)) s, $((size / 1000000)) MB"

# What compose.yaml says of the container, as podman's options; where this machine gives less, its limits.
mapfile -t options < <("$top/scripts/python" - "$top/deploy/compose.yaml" <<'PY'
import resource
import sys
import yaml
service = yaml.safe_load(open(sys.argv[1], encoding="utf-8"))["services"]["ride"]
print("--read-only=" + str(service["read_only"]).lower(), "--read-only-tmpfs=false", sep="\n")
print(*(f"--cap-drop={name}" for name in service["cap_drop"]), sep="\n")
print(*(f"--security-opt={option.removesuffix(':true')}" for option in service["security_opt"]), sep="\n")
limits = {**service["ulimits"], "nproc": 4096}  # unless it is told how many, podman asks for more than every machine gives
files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
limits["nofile"] = min(limits["nofile"], files) if files >= 0 else limits["nofile"]
print(*(f"--ulimit={name}={value}:{value}" for name, value in limits.items()), sep="\n")
print(f"--stop-timeout={service['stop_grace_period'].removesuffix('s')}")
PY
)
[ "${#options[@]}" -ge 7 ] || fail "options: ${options[*]}"
debian_config >"$scratch/ride.yaml"
# Without a network: it is asked within its own, and no port of this machine is taken.
start() { pod run --detach --name ride --network none "${options[@]}" -v "$scratch/ride.yaml:/etc/ride/ride.yaml:ro" -v state:/var/lib/ride ride >/dev/null; }
pid() { pod inspect -f '{{.State.Pid}}' ride; }
ask() { nsenter -t "$(pid)" -n curl -sS --max-time 10 "$@"; }
is_ready() { [ "$(ask -o /dev/null -w '%{http_code}' http://127.0.0.1:9100/readyz)" = 200 ]; }
said() { pod logs ride 2>&1 | grep -qF "$1"; }
exit_code() { pod inspect -f '{{.State.ExitCode}}' ride; }

start || fail "podman run"
until_true 60 "ready" is_ready || fail "$(ask http://127.0.0.1:9100/readyz)"
status=/proc/$(pid)/status
grep -q '^Uid:[[:space:]]*0' "$status" && fail "it is root"
grep -q '^CapEff:[[:space:]]*0*$' "$status" || fail "capabilities: $(grep Cap "$status")"
grep -q '^NoNewPrivs:[[:space:]]*1' "$status" || fail "it may get privileges"
! pod exec ride sh -c 'command -v gcc || command -v cmake' || fail "compilers are in the image"
! pod exec ride touch /usr/bin/x 2>/dev/null || fail "the image can be written to"
pod healthcheck run ride || fail "not healthy"
pod exec ride ride generate --events 3 --format ndjson --output - >"$scratch/events" 2>/dev/null || fail "ride generate"
head -1 "$scratch/events" >"$scratch/event"
answer=$(ask --json "@$scratch/event" http://127.0.0.1:8080/v1/score)
grep -q '"end":"scored"' <<<"$answer" && grep -q '"decision":"' <<<"$answer" || fail "it answers $answer"
echo "runs as $(awk '/^Uid:/ {print $2}' "$status"), healthy; answers ${answer:0:120}…"

# One that hangs is not healthy.
pod kill --signal STOP ride >/dev/null
! timeout 60 podman --root "$scratch/storage" --runroot "$scratch/run" --cgroup-manager cgroupfs healthcheck run ride >/dev/null 2>&1 || fail "healthy, though it hangs"
pod kill --signal CONT ride >/dev/null
until_true 30 "healthy again" pod healthcheck run ride || fail "it does not come back"

pod kill --signal KILL ride >/dev/null
until_true 10 "ended" test "$(pod inspect -f '{{.State.Running}}' ride)" = false || fail "kill"
pod start ride >/dev/null
until_true 60 "ready again" is_ready || fail "after a kill"
# The file of phases counts over all runs what was scored: one batch, before the kill.
[ "$(pod exec ride od -An -tu8 -j24 -N8 /var/lib/ride/phase | tr -d ' ')" = 1 ] || fail "its state did not stay"
pod stop ride >/dev/null
[ "$(exit_code)" = 0 ] || fail "a stop ends with $(exit_code)"
said '"message":"drained"' || fail "it did not drain"
! pod logs ride 2>&1 | grep '^[^{]' || fail "not all of its log is JSON"
echo "a hang is seen, its state is kept over a kill, a stop drains"

pod rm ride >/dev/null
echo 'spec: nowhere.yaml' >"$scratch/ride.yaml"
start || true
pod wait ride >/dev/null
[ "$(exit_code)" = 78 ] || fail "a bad configuration ends with $(exit_code)"
echo "figure: image_size $((size / 1000000)) MB"
