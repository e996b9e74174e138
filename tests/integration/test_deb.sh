#!/usr/bin/env bash
# The Debian package: built with cpack, looked at, and installed for real, by dpkg with its scripts, in an overlay over this machine that is thrown
# away. There the program runs as the package's user, the unit is verified, and the package is removed and purged.
# ride-test: release-only (packaging is the same in every build)
# ride-test: timeout=300
set -eu
source_dir=${RIDE_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
build=${RIDE_BUILD_DIR:-$source_dir/build/release}
fail() { echo "FAILED: $*"; exit 1; }

# Inside the overlay: $1 is the package.
inside() {
    export PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive
    mount -t proc proc /proc 2>/dev/null || true
    dpkg -i "$1" >/tmp/dpkg.log 2>&1 || { cat /tmp/dpkg.log; fail "dpkg -i"; }
    [ "$(command -v ride)" = /usr/bin/ride ] || fail "ride is not in the path"
    getent passwd ride | grep -q ':/var/lib/ride:/usr/sbin/nologin$' || fail "the user: $(getent passwd ride)"
    [ "$(stat -c '%U:%G %a' /etc/ride /var/lib/ride | tr '\n' ' ')" = "root:ride 750 ride:ride 750 " ] ||
        fail "folders: $(stat -c '%U:%G %a' /etc/ride /var/lib/ride)"
    # As the service would: the unit's own commands, as its user, over a configuration of the administrator's.
    cat >/etc/ride/ride.yaml <<'YAML'
spec: /usr/share/ride/examples/card-fraud/features.yaml
model: /usr/share/ride/examples/card-fraud/model/model.json
rules: [{id: sure, when: "probability >= 0.5", decision: decline}]
inputs: {tx: /var/lib/ride/tx.csv}
outputs: {decisions: /var/lib/ride/decisions.csv}
state: {dir: /var/lib/ride/state}
YAML
    chgrp ride /etc/ride/ride.yaml
    chmod 640 /etc/ride/ride.yaml
    mkdir -p /var/lib/ride/state && chown ride:ride /var/lib/ride/state
    as_ride() { (cd /var/lib/ride && setpriv --reuid=ride --regid=ride --clear-groups --no-new-privs --bounding-set=-all env -i PATH=/usr/bin "$@"); }
    as_ride ride generate --events 2000 --output /var/lib/ride/tx.csv >/dev/null 2>&1 || fail "ride generate as ride"
    sed -n 's/^Exec[A-Z][A-Za-z]*=//p' /lib/systemd/system/ride.service | grep '/usr/bin/ride ' | while read -r command; do
        # shellcheck disable=SC2086
        as_ride $command >/tmp/run.log 2>&1 || { cat /tmp/run.log; fail "$command"; }
        echo "as ride: $command"
    done
    [ "$(wc -l </var/lib/ride/decisions.csv)" = 2001 ] || fail "$(wc -l </var/lib/ride/decisions.csv) lines of decisions"
    if command -v systemd-analyze >/dev/null; then
        systemd-analyze verify /lib/systemd/system/ride.service >/tmp/verify.log 2>&1 || { cat /tmp/verify.log; fail "systemd-analyze verify"; }
        [ ! -s /tmp/verify.log ] || { cat /tmp/verify.log; fail "systemd-analyze has something to say"; }
        systemd-analyze security --offline=yes --threshold=15 --no-pager /lib/systemd/system/ride.service >/tmp/security.log 2>&1 ||
            { tail -40 /tmp/security.log; fail "the unit is open to more than 1.5 of 10"; }
        echo "unit: $(tail -1 /tmp/security.log)"
        mkdir -p /etc/systemd/system/ride.service.d && cp /usr/share/doc/ride/gpu.conf /etc/systemd/system/ride.service.d/
        systemd-analyze verify /lib/systemd/system/ride.service >/tmp/verify.log 2>&1 || { cat /tmp/verify.log; fail "verify with gpu.conf"; }
    else
        echo "unit: not verified, no systemd-analyze here"
    fi
    # With a start forbidden by a bad configuration the program says why, and the unit would not try again.
    echo 'spec: nowhere.yaml' >/etc/ride/ride.yaml
    ! grep -q '^ExecStartPre=' /lib/systemd/system/ride.service || fail "a failed ExecStartPre is started again whatever its exit code"
    got=0; ride run --config /etc/ride/ride.yaml >/dev/null 2>&1 || got=$?
    sed -n 's/^RestartPreventExitStatus=//p' /lib/systemd/system/ride.service | tr ' ' '\n' | grep -qx "$got" || fail "exit $got would be tried again"
    dpkg -i "$1" >/tmp/dpkg.log 2>&1 || { cat /tmp/dpkg.log; fail "dpkg -i over itself"; }
    [ "$(cat /etc/ride/ride.yaml)" = 'spec: nowhere.yaml' ] || fail "an upgrade changed the configuration"
    dpkg -r ride >/tmp/dpkg.log 2>&1 && dpkg -P ride >>/tmp/dpkg.log 2>&1 || { cat /tmp/dpkg.log; fail "dpkg -r, -P"; }
    [ ! -e /usr/bin/ride ] && [ ! -e /lib/systemd/system/ride.service ] && [ ! -e /usr/share/ride ] || fail "files stay behind"
    [ -e /etc/ride/ride.yaml ] && [ -e /var/lib/ride/decisions.csv ] || fail "the administrator's files are gone"
    exit 0
}
[ "${1:-}" != inside ] || inside "$2"

[ -x "$build/bin/ride" ] || { echo "no ride program in $build"; exit 77; }
for program in dpkg-deb dpkg-shlibdeps file; do
    command -v $program >/dev/null || { echo "no $program: scripts/setup --dev"; exit 77; }
done
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
(cd "$build" && cpack -G DEB -B "$scratch/package" >"$scratch/cpack.log" 2>&1) || { tail -20 "$scratch/cpack.log"; fail "cpack -G DEB"; }
package=$(find "$scratch/package" -maxdepth 1 -name 'ride_*.deb')
version=$("$build/bin/ride" version | sed 's/ride //')
[ "$(basename "$package")" = "ride_${version}_$(dpkg --print-architecture).deb" ] || fail "its name is $package"
(cd "$scratch/package" && sha256sum -c --quiet ./*.sha256) || fail "its checksum"

# Every library that the program needs belongs to a package that it depends on.
depends=$(dpkg-deb -f "$package" Depends)
for library in $(readelf -d "$build/bin/ride" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); do
    path=$(ldconfig -p | sed -n "s|.*$library .*=> ||p" | head -1)
    owner=$(dpkg -S "$(realpath "$path")" "$path" 2>/dev/null | head -1 | cut -d: -f1)
    case ", $depends," in *", $owner "* | *", $owner,"*) ;; *) fail "it needs $library of $owner, and depends on $depends" ;; esac
done
dpkg-deb -c "$package" >"$scratch/contents"
for file in usr/bin/ride usr/lib/systemd/system/ride.service usr/share/doc/ride/copyright usr/share/doc/ride/operations.md \
    usr/share/ride/prometheus/rules.yml usr/share/ride/grafana/ride.json usr/share/ride/examples/card-fraud/ride.yaml; do
    grep -q " ./$file\$" "$scratch/contents" || fail "$file is not in it"
done
if grep -vE '^([d-]rw[x-]r-[x-]r-[x-]|lrwxrwxrwx) root/root ' "$scratch/contents"; then fail "owners or modes"; fi
if grep -E ' \./(usr/local|tmp|home|etc)' "$scratch/contents"; then fail "it puts files where they do not belong"; fi
echo "package: $(basename "$package"), $(du -k "$package" | cut -f1) KiB, $(grep -c '^-' "$scratch/contents") files"

[ "$(id -u)" = 0 ] || { echo "skipped: the package was built and looked at; installing it in an overlay needs root"; exit 77; }
overlay='mount -t tmpfs tmpfs "$1/over" && mkdir "$1/over/upper" "$1/over/work" "$1/over/system" &&
    mount -t overlay overlay -o "lowerdir=/,upperdir=$1/over/upper,workdir=$1/over/work" "$1/over/system"'
mkdir "$scratch/over"
unshare -m sh -c "$overlay" sh "$scratch" 2>/dev/null ||
    { echo "skipped: the package was built and looked at; this machine lets no overlay be mounted to install it in"; exit 77; }
cp "$package" "$scratch/ride.deb"
# The scratch folder and this script are seen through the overlay; what is written goes into the tmpfs.
unshare -m -p -f sh -c "$overlay"' && cp "$1/ride.deb" "$1/over/system/ride.deb" && cp "$2" "$1/over/system/test_deb.sh" &&
    exec chroot "$1/over/system" bash /test_deb.sh inside /ride.deb' sh "$scratch" "$0" || fail "in the overlay"
[ ! -e /test_deb.sh ] || fail "the overlay leaks"
echo "installed, run, upgraded, removed, purged in an overlay"
