# Sourced by tests that need a Debian of their own. No registry of images is asked: debootstrap makes it from the archive that this machine's apt uses.
# shellcheck shell=bash

# Ends the test as skipped where one of the programs is missing, or where it may not be done.
debian_needs() {
    local program
    for program in debootstrap apt-get "$@"; do
        command -v "$program" >/dev/null || { echo "no $program here"; exit 77; }
    done
    [ "$(id -u)" = 0 ] || { echo "making a system of its own needs root"; exit 77; }
    [ -n "$(debian_archive)" ] || { echo "apt here has no archive of Debian 12"; exit 77; }
}

debian_archive() {
    apt-get indextargets --format '$(CODENAME) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        awk '$1 == "bookworm" && $2 == "main" {print $3; exit}'
}

# debian_tree FOLDER PACKAGE…: Debian 12, what is essential and these packages.
debian_tree() {
    local folder=$1
    shift
    local packages
    packages=$(IFS=, && echo "$*")
    debootstrap --variant=minbase ${packages:+"--include=$packages"} bookworm "$folder" "$(debian_archive)" >"$folder.log" 2>&1 ||
        { tail -20 "$folder.log"; echo "debootstrap failed"; return 1; }
    rm -f "$folder"/var/cache/apt/archives/*.deb
}

# The service of these tests: HTTP alone, with what the package brings.
debian_config() {
    cat <<'YAML'
spec: /usr/share/ride/examples/card-fraud/features.yaml
model: /usr/share/ride/examples/card-fraud/model/model.json
rules: [{id: sure, when: "probability >= 0.5", decision: decline}]
http: {listen: "0.0.0.0:8080"}
admin: {listen: "0.0.0.0:9100"}
state: {dir: /var/lib/ride}
YAML
}

# until SECONDS WHAT COMMAND…: runs the command until it succeeds.
until_true() {
    local seconds=$1 what=$2 i
    shift 2
    for ((i = 0; i < seconds * 10; i++)); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.1
    done
    echo "FAILED: $what: not within $seconds s"
    return 1
}
