#!/usr/bin/env bash
# Runs the README's commands: every fenced ```sh block, in order, each from the repository's root, in one scratch HOME.
# A block after the line `<!-- not run: reason -->` is not run; it is listed with its reason.
# `ride` in a block is this build's program; what a block writes to out/ goes there. A block that needs a port which is taken, or programs that
# are not there (scripts/kafka says so, with exit 69), is skipped, and then so is the test.
# ride-test: serial (a reader's ports are fixed ones)
# ride-test: release-only (they are a reader's commands; the programs behind them are tested under sanitizers elsewhere)
set -eu
source_dir=${RIDE_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
build=${RIDE_BUILD_DIR:-$source_dir/build/release}
[ -x "$build/bin/ride" ] || { echo "no ride program in $build"; exit 77; }
scratch=$(mktemp -d)
export RIDE_KAFKA_DIR=$scratch/kafka
trap '[ ! -e "$RIDE_KAFKA_DIR/env" ] || scripts/kafka stop; rm -rf "$scratch"' EXIT
cd "$source_dir"
awk -v dir="$scratch" '
    /^<!-- not run: .* -->$/ { reason = $0; sub(/^<!-- not run: /, "", reason); sub(/ -->$/, "", reason); next }
    /^```sh$/ { n++; inside = 1; place = FNR; file = sprintf("%s/%03d.sh", dir, n); printf "" > file
                if (reason != "") print reason > (file ".reason"); print place > (file ".line"); next }
    /^```/ { if (inside) close(file); inside = 0; reason = ""; next }
    inside { print > file; next }
    NF { reason = "" }
' README.md
ran=0 left=0 skipped=
# Maven's jars stay where they are.
[ -z "${HOME:-}" ] || export MAVEN_OPTS="${MAVEN_OPTS:-} -Dmaven.repo.local=$HOME/.m2/repository"
export HOME=$scratch/home PATH="$build/bin:$PATH"
mkdir -p "$HOME"
for block in "$scratch"/*.sh; do
    [ -e "$block" ] || { echo "README.md has no \`\`\`sh block"; exit 1; }
    line=$(cat "$block.line")
    bash -n "$block" || { echo "README.md:$line: not a shell command"; exit 1; }
    if [ -e "$block.reason" ]; then
        left=$((left + 1))
        echo "README.md:$line not run: $(cat "$block.reason")"
        continue
    fi
    echo "README.md:$line run:"
    sed 's/^/    /' "$block"
    taken=$(python3 -c 'import re, socket, sys
ports = set(re.findall(r"127\.0\.0\.1:(\d+)", open(sys.argv[1]).read())) | ({"9100"} if "ride top" in open(sys.argv[1]).read() else set())
for port in sorted(ports):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try: s.bind(("127.0.0.1", int(port)))
        except OSError: print(port)' "$block")
    if [ -n "$taken" ]; then
        skipped="README.md:$line needs the port $taken, which is taken"
        echo "$skipped"
        continue
    fi
    timeout 300 bash -eu -o pipefail "$block" </dev/null >"$scratch/told" 2>&1 &
    group=$! status=0 # timeout makes a process group of its own
    wait $group || status=$?
    cat "$scratch/told"
    kill -- -$group 2>/dev/null || true
    if [ $status = 69 ] && grep -Eq '^kafka: (a broker needs|the broker did not start)' "$scratch/told"; then
        skipped="README.md:$line: $(tail -1 "$scratch/told")"
        continue
    fi
    [ $status = 0 ] || { echo "README.md:$line: a command failed (exit $status)"; exit 1; }
    ran=$((ran + 1))
done
[ -z "$skipped" ] || { echo "$ran blocks ran, $left not run; skipped: $skipped"; exit 77; }
echo "$ran blocks ran, $left not run (reasons above)"
[ "$ran" -gt 0 ] || { echo "no block of README.md can be run by this test"; exit 77; }
