#!/usr/bin/env bash
# The package's unit under a real systemd: a Debian 12 that debootstrap makes is booted by systemd-nspawn, without a network; there the package is installed, its
# service started, asked, reloaded, killed, stopped, upgraded and removed, and what the unit forbids is tried.
set -euo pipefail
top=${RIDE_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
build=${RIDE_BUILD_DIR:-$top/build/release}
. "$top/tests/support/debian_tree.sh"
debian_needs systemd-nspawn nsenter curl cpack dpkg-shlibdeps
[ -x "$build/bin/ride" ] || { echo "no ride program in $build"; exit 77; }
scratch=$(mktemp -d)
tree=$scratch/tree
nspawn=
end() {
    if [ -n "$nspawn" ] && kill -TERM "$nspawn" 2>/dev/null; then
        for _ in {1..100}; do kill -0 "$nspawn" 2>/dev/null || break; sleep 0.1; done
        kill -KILL "$nspawn" 2>/dev/null || true
    fi
    rm -rf "$scratch"
}
trap end EXIT
fail() {
    echo "FAILED: $*"
    [ -z "$nspawn" ] || inside journalctl -u ride -o cat --no-pager 2>/dev/null | tail -20
    exit 1
}

(cd "$build" && cpack -G DEB -B "$scratch/package" >"$scratch/cpack.log" 2>&1) || { tail -20 "$scratch/cpack.log"; fail "cpack -G DEB"; }
debian_tree "$tree" systemd systemd-sysv curl || exit 1
# The libraries that it depends on, from the archive; it is installed itself where systemd runs.
cp "$scratch"/package/ride_*.deb "$tree/ride.deb"
cp /etc/resolv.conf "$tree/etc/resolv.conf"
chroot "$tree" sh -c 'apt-get update && apt-get install -y --no-install-recommends /ride.deb && dpkg -P ride && rm -rf /etc/ride /var/lib/ride && userdel ride' \
    >"$scratch/apt.log" 2>&1 </dev/null || { tail -20 "$scratch/apt.log"; fail "apt-get install in the tree"; }

systemd-nspawn --quiet --directory="$tree" --boot --private-network --register=no --keep-unit >"$scratch/boot.log" 2>&1 </dev/null &
nspawn=$!
leader() { ps -o pid= --ppid "$nspawn" | tr -d ' ' | head -1; }
inside() { nsenter -t "$(leader)" --mount --uts --ipc --net --pid --root --wd -- "$@"; }
booted() { kill -0 "$nspawn" && inside sh -c 'case $(systemctl is-system-running) in running | degraded) ;; *) exit 1 ;; esac'; }
until_true 90 "systemd runs" booted || { tail -20 "$scratch/boot.log"; fail "it does not boot"; }
show() { inside systemctl show -P "$1" ride.service; }
is_ready() { inside curl -sf --max-time 5 http://127.0.0.1:9100/readyz; }
said() { inside journalctl -u ride -o cat --no-pager | grep -qF "$1"; }
metric() { inside curl -s --max-time 5 http://127.0.0.1:9100/metrics | grep -F "$1" | awk '{print $NF}'; }
json_alone() {
    local logged
    logged=$(inside journalctl "_PID=$1" -o cat --no-pager)
    grep -q '"message":"ready"' <<<"$logged" && ! grep '^[^{]' <<<"$logged"
}
is() { [ "$("${@:2}")" = "$1" ]; }
main_is_not() { local now; now=$(show MainPID); [ "$now" != 0 ] && [ "$now" != "$1" ]; }

inside dpkg -i /ride.deb >"$scratch/dpkg.log" 2>&1 || { cat "$scratch/dpkg.log"; fail "dpkg -i"; }
is inactive inside systemctl show -P ActiveState ride || fail "a package that is installed starts nothing"
inside systemctl start ride # without a configuration it does not begin, and that is no failure
is inactive show ActiveState && is no show ConditionResult || fail "it started without a configuration"
echo 'spec: nowhere.yaml' >"$tree/etc/ride/ride.yaml"
inside systemctl start ride || true
until_true 30 "failed" is failed show ActiveState || fail "a bad configuration"
sleep 3 # RestartSec is 2
is failed show ActiveState && is 78 show ExecMainStatus && is 0 show NRestarts || fail "a bad configuration is tried again: $(show ActiveState) $(show ExecMainStatus)"
inside systemctl reset-failed ride

debian_config >"$tree/etc/ride/ride.yaml"
inside chown root:ride /etc/ride/ride.yaml && chmod 640 "$tree/etc/ride/ride.yaml"
inside systemctl enable --now ride >/dev/null 2>&1 || fail "systemctl enable --now"
until_true 60 "ready" is_ready || fail "it is $(show ActiveState)"
is active show ActiveState || fail "$(show ActiveState)"
inside sh -c 'ride generate --events 1 --format ndjson --output /event 2>/dev/null'
answer=$(inside curl -s --max-time 10 --json @/event http://127.0.0.1:8080/v1/score)
grep -q '"end":"scored"' <<<"$answer" || fail "it answers $answer"
echo "ready, scores, as $(inside stat -c %U "/proc/$(show MainPID)")"

# Reload: a change that is taken, and one that is not.
sed -i 's/^admin:/scheduler: {max_batch: 100}\nadmin:/' "$tree/etc/ride/ride.yaml"
inside systemctl reload ride || fail "reload"
until_true 20 "reloaded" is 1 metric 'ride_config_reloads_total{end="applied"}' || fail "reload: $(metric ride_config_reloads_total)"
echo 'nonsense: 1' >>"$tree/etc/ride/ride.yaml"
inside systemctl reload ride || fail "reload"
until_true 20 "refused" is 1 metric 'ride_config_reloads_total{end="refused"}' || fail "a bad reload: $(metric ride_config_reloads_total)"
is_ready >/dev/null && is active show ActiveState || fail "a bad reload ends it"
sed -i '/^nonsense/d' "$tree/etc/ride/ride.yaml"

# A kill: it comes back by itself, and knows.
before=$(show MainPID)
inside systemctl kill --signal KILL ride
until_true 30 "restarted" main_is_not "$before" || fail "it is not started again"
until_true 60 "ready again" is_ready || fail "it is not ready again"
is 1 show NRestarts || fail "$(show NRestarts) restarts"
# The file of phases counts over all runs what was scored: one batch, before the kill.
[ "$(od -An -tu8 -j24 -N8 "$tree/var/lib/ride/phase" | tr -d ' ')" = 1 ] || fail "its state did not stay"

before=$(show MainPID)
inside systemctl stop ride || fail "stop"
is inactive show ActiveState && is success show Result && is 0 show ExecMainStatus || fail "a stop ends with $(show Result), $(show ExecMainStatus)"
said '"message":"drained"' || fail "it did not drain"
json_alone "$before" || fail "not all of its log is JSON"
echo "reloaded, killed and started again, stopped"

# What the unit forbids, tried by a program in its place.
cat >"$tree/usr/local/bin/probe" <<'PROBE'
#!/usr/bin/perl
# Prints what could be done though it must not be.
sub could { print "could: $_[0]\n" }
for my $path ("/etc/ride/x", "/usr/x", "/var/x", "/run/x", "/boot/x", "/sys/x", "/proc/sys/kernel/hostname") {
    could("write $path") if open my $file, ">", $path;
}
could("read /etc/shadow") if open my $file, "<", "/etc/shadow";
could("see /root") if opendir my $folder, "/root";
could("see a home") if glob("/home/*");
could("see another's process") if -e "/proc/1/status";
could("use a raw device") if -e "/dev/kmsg" or -e "/dev/mem" or -e "/dev/fuse";
could("open a packet socket") if socket my $socket, 17, 3, 0;
could("become root") if $< = 0, $< == 0;
could("make a namespace") if syscall(272, 0x10000000) == 0;             # unshare(CLONE_NEWUSER)
my ($none, $tmp, $tmpfs, $nothing, $one, $second) = ("none", "/tmp", "tmpfs", "", pack("i", 1), pack("qq", 1, 0));
could("mount") if syscall(165, $none, $tmp, $tmpfs, 0, 0) == 0;
could("map memory that is written and executed") if syscall(9, 0, 4096, 7, 0x22, -1, 0) != -1;
could("be a real-time process") if syscall(144, 0, 1, $one) == 0; # sched_setscheduler(SCHED_FIFO)
could("set the clock") if syscall(227, 0, $second) == 0; # clock_settime
could("load a module") if syscall(175, $nothing, 0, $nothing) == 0; # init_module
could("make a setuid file") if open(my $file, ">", "/var/lib/ride/s") && chmod 04755, "/var/lib/ride/s";
open my $status, "<", "/proc/self/status";
for (<$status>) { could($_) if /^Cap(Eff|Bnd|Amb):\s*0*[1-9a-f]/ or /^NoNewPrivs:\s*0/ or /^Seccomp:\s*[01]\b/ }
open my $own, ">", "/var/lib/ride/own" or could("not write its state");
-r "/etc/ride/ride.yaml" or could("not read its configuration");
open my $limits, "<", "/proc/self/limits";
for (<$limits>) { could("leave a core") if /^Max core file size\s+[1-9u]/ }
print "done\n";
PROBE
chmod 755 "$tree/usr/local/bin/probe"
mkdir -p "$tree/home/anybody"
sed 's|^ExecStart=.*|ExecStart=/usr/local/bin/probe|; s/^Type=.*/Type=oneshot/; s/^Restart=.*/Restart=no/; /^RestartPrevent/d' "$tree/lib/systemd/system/ride.service" \
    >"$tree/etc/systemd/system/probe.service"
inside systemctl daemon-reload
inside systemctl start probe || fail "probe: $(inside journalctl -u probe -o cat --no-pager | tail -5)"
probed=$(inside journalctl -u probe -o cat --no-pager | grep '^could: \|^done' || true)
[ "$probed" = done ] || fail "the unit lets it do what it says it must not: $probed"
# Without what the unit says the same program can do much of that: else it would prove nothing.
printf '[Service]\nType=oneshot\nExecStart=/usr/local/bin/probe\nStateDirectory=ride\n' >"$tree/etc/systemd/system/bare.service"
inside systemctl daemon-reload
inside systemctl start bare || fail "bare"
allowed=$(inside journalctl -u bare -o cat --no-pager | grep -c '^could: ')
[ "$allowed" -ge 15 ] || fail "without the unit only $allowed of them can be done"
inside systemd-analyze security --no-pager ride.service | tail -1
exposure=$(inside systemd-analyze security --no-pager ride.service | sed -n 's/.*Overall exposure level for ride.service: \([0-9.]*\).*/\1/p')
[ -n "$exposure" ] || fail "systemd-analyze security says nothing"
echo "$allowed things that it could do without the unit, it cannot do"

# Upgrade: goes on with the new program. Removal: drains and stays off, and what is the administrator's stays.
inside systemctl start ride
until_true 60 "ready" is_ready || fail "start"
before=$(show MainPID)
inside dpkg -i /ride.deb >"$scratch/dpkg.log" 2>&1 || { cat "$scratch/dpkg.log"; fail "upgrade"; }
until_true 60 "ready after the upgrade" is_ready || fail "upgrade"
main_is_not "$before" || fail "an upgrade leaves the old program running"
inside dpkg -r ride >"$scratch/dpkg.log" 2>&1 || { cat "$scratch/dpkg.log"; fail "removal"; }
! is_ready >/dev/null 2>&1 || fail "it runs after its removal"
! inside test -e /etc/systemd/system/multi-user.target.wants/ride.service || fail "it is still enabled"
inside test -s /etc/ride/ride.yaml && inside test -d /var/lib/ride || fail "the administrator's files are gone"
echo "upgraded, removed"
echo "figure: exposure $exposure of_10"
