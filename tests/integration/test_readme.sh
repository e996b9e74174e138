#!/usr/bin/env bash
# Runs the README's commands: every fenced ```sh block, in order, each from the repository's root, in one scratch HOME.
# A block after the line `<!-- not run: reason -->` is not run; it is listed with its reason.
# `ride` in a block is this build's program; what a block writes to out/ goes there.
# ride-test: release-only (they are a reader's commands; the programs behind them are tested under sanitizers elsewhere)
set -eu
source_dir=${RIDE_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
build=${RIDE_BUILD_DIR:-$source_dir/build/release}
[ -x "$build/bin/ride" ] || { echo "no ride program in $build"; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$source_dir"
awk -v dir="$scratch" '
    /^<!-- not run: .* -->$/ { reason = $0; sub(/^<!-- not run: /, "", reason); sub(/ -->$/, "", reason); next }
    /^```sh$/ { n++; inside = 1; place = FNR; file = sprintf("%s/%03d.sh", dir, n); printf "" > file
                if (reason != "") print reason > (file ".reason"); print place > (file ".line"); next }
    /^```/ { if (inside) close(file); inside = 0; reason = ""; next }
    inside { print > file; next }
    NF { reason = "" }
' README.md
ran=0 left=0
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
    timeout 300 bash -eu -o pipefail "$block" </dev/null || { echo "README.md:$line: a command failed (exit $?)"; exit 1; }
    ran=$((ran + 1))
done
echo "$ran blocks ran, $left not run (reasons above)"
[ "$ran" -gt 0 ] || { echo "no block of README.md can be run by this test"; exit 77; }
