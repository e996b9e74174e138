#!/usr/bin/env bash
# The committed profile of the card-fraud example is what the commands in model.provenance.json and docs/drift.md make, byte by byte, and
# it belongs to the committed spec and model.
# ride-test: timeout=900 release-only (1.5 million events; what makes them is tested under sanitizers elsewhere)
set -eu
[ -x "${RIDE_BIN:-}" ] || { echo "no ride program"; exit 77; }
top=${RIDE_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
model=$top/examples/card-fraud/model
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
fail() { echo "$*"; exit 1; }
[ "$(uname -m)" = x86_64 ] || { echo "means are added in the 80 bits of an x86-64; on $(uname -m) their last digits may be others"; exit 77; }
how=$(sed -n 's/^ "how": "ride \(generate [^;]*\) --labels out\/train\/labels.csv --output out\/train\/events.csv;.*/\1/p' "$model/model.provenance.json")
[ -n "$how" ] || fail "model.provenance.json has no command for the training stream"
# shellcheck disable=SC2086 # it is a command line
"$RIDE_BIN" $how --output events.csv
sum=$(sha256sum events.csv | cut -d' ' -f1)
grep -q "\"events.csv\": \"$sum\"" "$model/model.provenance.json" || fail "the generator gives another stream than the model was trained on"
from=$(sed -n 's/^ride profile build .* --input out\/train\/events.csv --from \([0-9-]*\) .*/\1/p' "$top/docs/drift.md")
[ -n "$from" ] || fail "docs/drift.md does not say how the profile is made"
"$RIDE_BIN" profile build --config "$top/examples/card-fraud/ride.yaml" --set log.level=error --input events.csv --from "$from" --output model.profile --quiet
cmp model.profile "$model/model.profile" || fail "the profile is another: make it again by the command in docs/drift.md"
[ "$(stat -c %s model.profile)" -lt 300000 ] || fail "the profile has grown to $(stat -c %s model.profile) bytes"
"$RIDE_BIN" config check --config "$top/examples/card-fraud/ride.yaml" --set inputs.tx.path=events.csv --set outputs.decisions.path=d --set outputs.rejects.path= \
    --set outputs.late.path= --set outputs.summary.path= >check.out 2>&1 || { cat check.out; fail "it does not fit the example's spec and model"; }
echo ok
