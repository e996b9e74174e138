#!/usr/bin/env bash
# cmake --install into an empty prefix and the cpack tarball, each moved elsewhere before use: the program runs, names no
# folder of the build, and what it installs is complete.
# ride-test: release-only (packaging is the same in every build)
set -eu
source_dir=${RIDE_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
build=${RIDE_BUILD_DIR:-$source_dir/build/release}
[ -x "$build/bin/ride" ] || { echo "no ride program in $build"; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
fail() { echo "FAILED: $*"; exit 1; }

check_tree() { # folder: an installed tree, at its place
    local tree=$1
    (cd / && env -i PATH=/usr/bin:/bin HOME=/nonexistent "$tree/bin/ride" version) >"$scratch/version" || fail "ride version in $tree"
    grep -Eq '[0-9]+\.[0-9]+\.[0-9]+' "$scratch/version" || fail "ride version prints no version: $(cat "$scratch/version")"
    if readelf -d "$tree/bin/ride" | grep -E 'R(UN)?PATH'; then fail "the program has a run path"; fi
    if [ -e "$build/bin/libride_cuda.so" ]; then # found from the program's own place
        [ -s "$tree/lib/ride/libride_cuda.so" ] || fail "the CUDA plugin is not installed"
        "$tree/bin/ride" doctor | grep -F '/lib/ride/libride_cuda.so' >/dev/null || fail "the installed program does not find its CUDA plugin"
    fi
    local file
    for file in share/doc/ride/README.md share/doc/ride/LICENSE share/doc/ride/CHANGELOG.md; do
        [ -s "$tree/$file" ] || fail "$file is not installed"
    done
    "$tree/bin/ride" completion bash | cmp - "$tree/share/bash-completion/completions/ride" || fail "bash completion in $tree"
    "$tree/bin/ride" completion zsh | cmp - "$tree/share/zsh/site-functions/_ride" || fail "zsh completion in $tree"
    for file in $(cd "$source_dir" && git ls-files examples 'docs/*.md' 2>/dev/null); do
        case $file in
        examples/*) [ -e "$tree/share/ride/$file" ] || fail "$file is not installed" ;;
        docs/*) [ -e "$tree/share/doc/ride/${file#docs/}" ] || fail "$file is not installed" ;;
        esac
    done
}

cmake --install "$build" --prefix "$scratch/first/prefix" >"$scratch/install.log" || { cat "$scratch/install.log"; fail "cmake --install"; }
mkdir "$scratch/moved"
mv "$scratch/first/prefix" "$scratch/moved/somewhere else"
check_tree "$scratch/moved/somewhere else"
echo "installed tree: $(find "$scratch/moved" -type f | wc -l) files, $(cat "$scratch/version" | head -1)"

(cd "$build" && cpack -B "$scratch/package" >"$scratch/cpack.log" 2>&1) || { tail -20 "$scratch/cpack.log"; fail "cpack"; }
tarball=$(find "$scratch/package" -maxdepth 1 -name 'ride-*.tar.gz')
[ -n "$tarball" ] || fail "cpack made no tarball"
mkdir "$scratch/unpacked"
tar -xzf "$tarball" -C "$scratch/unpacked" --strip-components=1
check_tree "$scratch/unpacked"
(cd "$scratch/package" && sha256sum -c --quiet ./*.sha256) || fail "the tarball's checksum"
echo "tarball: $(basename "$tarball"), $(du -k "$tarball" | cut -f1) KiB"
