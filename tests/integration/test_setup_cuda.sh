#!/usr/bin/env bash
# scripts/setup --cuda without a network: a made-up index of wheels. It installs once and completely, again when the list changes, refuses a
# wheel with other bytes, leaves nothing half done, and takes an installed toolkit instead.
# ride-test: release-only (it runs no program of ours)
set -eu
source_dir=${RIDE_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
python=$source_dir/.venv/bin/python
[ -x "$python" ] && "$python" -m pip --version >/dev/null 2>&1 || { echo "there is no .venv with pip: scripts/setup"; exit 77; }
[ "$(uname -s) $(uname -m)" = "Linux x86_64" ] || { echo "the wheels are for Linux x86_64"; exit 77; }
[ ! -x /usr/local/cuda/bin/nvcc ] || { echo "/usr/local/cuda is installed, so nothing would be"; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
fail() { cat "$scratch/out"; echo "FAILED: $*"; exit 1; }
tree=$scratch/tree index=$scratch/index
mkdir -p "$tree/scripts" "$tree/cmake" "$tree/.venv/bin" "$index"
cp "$source_dir/scripts/setup-cuda" "$tree/scripts/"
printf '#!/bin/sh\nexec "%s" "$@"\n' "$python" >"$tree/.venv/bin/python"
chmod +x "$tree/.venv/bin/python"
unset CUDA_HOME CUDA_PATH
export PIP_NO_INDEX=1 PIP_FIND_LINKS="$index" PIP_CONFIG_FILE=/dev/null

wheel() { # version: nvidia-cuda-nvcc of that version into the index, its line into the list
    "$python" - "$index" "$1" "$tree/cmake/requirements-cuda.txt" <<'PY'
import hashlib, sys, zipfile
index, version, requirements = sys.argv[1:]
name = f"{index}/nvidia_cuda_nvcc-{version}-py3-none-manylinux_2_17_x86_64.whl"
info = f"nvidia_cuda_nvcc-{version}.dist-info"
with zipfile.ZipFile(name, "w") as file:
    program = zipfile.ZipInfo("nvidia/cu13/bin/nvcc")
    program.external_attr = 0o100755 << 16
    file.writestr(program, f"#!/bin/sh\necho 'Cuda compilation tools, release 13.0, V{version}'\n")
    file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: nvidia-cuda-nvcc\nVersion: {version}\nRequires-Dist: nvidia-nowhere\n")
    file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\nTag: py3-none-manylinux_2_17_x86_64\n")
    file.writestr(f"{info}/RECORD", "")
open(requirements, "w").write(f"nvidia-cuda-nvcc=={version} --hash=sha256:{hashlib.sha256(open(name, 'rb').read()).hexdigest()}\n")
PY
}
code() { # expected, arguments of setup-cuda…
    want=$1; shift
    got=0; "$tree/scripts/setup-cuda" "$@" >"$scratch/out" 2>&1 || got=$?
    [ "$got" = "$want" ] || fail "exit $got, not $want: setup-cuda $*"
}
told() { grep -qF -- "$1" "$scratch/out" || fail "not told: $1"; }
nothing_left() { [ -z "$(find "$tree/.deps" -maxdepth 1 -name 'cuda.*' 2>/dev/null)" ] || fail "something half done is left: $(ls "$tree/.deps")"; }

wheel 13.0.1
code 64 --what
code 1 --list; told 'CUDA'"'"'s compiler to install'; told 'nvidia-cuda-nvcc==13.0.1'
[ ! -e "$tree/.deps/cuda" ] || fail "--list installs"
code 0; told 'CUDA 13.0.1 is in .deps/cuda'; nothing_left
[ -x "$tree/.deps/cuda/nvidia/cu13/bin/nvcc" ] || fail "no compiler was installed"
PIP_FIND_LINKS=/nonexistent code 0; told 'nothing to install'
code 0 --list; told 'nothing to install'
rm "$tree/.deps/cuda/nvidia/cu13/bin/nvcc" # somebody's hand: complete again
code 0; told 'CUDA 13.0.1 is in .deps/cuda'

wheel 13.0.2 # the list has changed
code 1 --list
code 0; told 'CUDA 13.0.2 is in .deps/cuda'; nothing_left
[ "$(find "$tree/.deps/cuda" -maxdepth 1 -name '*.dist-info' | wc -l)" = 1 ] || fail "two versions in one folder"

wheel 13.0.3 # other bytes than the list says: refused, and what was there stays
printf x >>"$index"/nvidia_cuda_nvcc-13.0.3-*.whl
code 65; told 'a wheel is not the one that cmake/requirements-cuda.txt names'; nothing_left
"$tree/.deps/cuda/nvidia/cu13/bin/nvcc" --version | grep -q 13.0.2 || fail "a refused wheel has touched what was installed"
rm "$index"/nvidia_cuda_nvcc-13.0.3-*.whl # not to be had
code 69; told 'PyPI must be reachable'; nothing_left

mkdir -p "$scratch/toolkit/bin" # an installed toolkit is taken, an old one is not
printf '#!/bin/sh\necho "Cuda compilation tools, release 13.1, V13.1.80"\n' >"$scratch/toolkit/bin/nvcc"
chmod +x "$scratch/toolkit/bin/nvcc"
CUDA_HOME=$scratch/toolkit code 0; told "nothing to install (CUDA 13.1.80 in $scratch/toolkit)"
sed -i 's/13\.1/12.4/g' "$scratch/toolkit/bin/nvcc"
CUDA_HOME=$scratch/toolkit code 1 --list; told 'to install into .deps/cuda'
echo ok
