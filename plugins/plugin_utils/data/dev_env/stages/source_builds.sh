#!/usr/bin/env bash
# Packages that are compiled against what is installed: the input "source_builds", one requirement a line. The rest of the
# environment keeps its versions. DEV_PREFIX DEV_TOOLS DEV_PYTHON_MANAGER DEV_CACHE DEV_OWNER DEV_TORCH_BACKEND
# DEV_SHARE DEV_MAX_JOBS (0: one for each CPU and 4 GiB of memory)
set -euo pipefail
# shellcheck source=network.sh
. "$DEV_INPUTS/network.sh"

python=$DEV_PREFIX/bin/python
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export UV_CACHE_DIR=$DEV_CACHE/uv UV_NO_PROGRESS=1 UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1
PATH=$DEV_PREFIX/bin:/usr/local/cuda/bin:$PATH
if [[ $DEV_TORCH_BACKEND != cpu ]] && ! command -v nvcc > /dev/null; then
  refuse "dev_source_builds needs nvcc, and there is none here; use a base image of the flavour devel."
fi

jobs() {
  local cpus memory limit
  cpus=$(nproc)
  memory=$(awk '/^MemTotal:/ { print int($2 / 1048576) }' /proc/meminfo)
  limit=$(cat /sys/fs/cgroup/memory.max 2> /dev/null || echo max)
  # a container sees the memory of the whole machine
  if [[ $limit =~ ^[0-9]+$ && $((limit / 1073741824)) -lt $memory ]]; then memory=$((limit / 1073741824)); fi
  memory=$((memory / 4))
  if [[ $memory -lt $cpus ]]; then cpus=$memory; fi
  if [[ $cpus -lt 1 ]]; then cpus=1; fi
  echo "$cpus"
}

if [[ $DEV_MAX_JOBS == 0 ]]; then MAX_JOBS=$(jobs); else MAX_JOBS=$DEV_MAX_JOBS; fi
export MAX_JOBS
if [[ $DEV_PYTHON_MANAGER == venv ]]; then
  install=("$python" -m pip install --no-cache-dir --disable-pip-version-check)
  "$python" -m pip freeze > "$work/constraints"
else
  install=("$DEV_TOOLS/bin/uv" pip install --python "$python")
  "$DEV_TOOLS/bin/uv" pip freeze --python "$python" > "$work/constraints"
fi
# addresses are no constraints
sed -i '/ @ \|^-e /d' "$work/constraints"
echo "devenv: compiling with $MAX_JOBS jobs; this takes minutes to hours."
"${install[@]}" --constraint "$work/constraints" setuptools wheel packaging ninja
"${install[@]}" --constraint "$work/constraints" --no-build-isolation -r "$DEV_INPUTS/source_builds"
give_to_user "$DEV_PREFIX"
# they belong to the image, and not to what users added
if [[ $DEV_PYTHON_MANAGER == venv ]]; then
  "$python" -m pip freeze
else
  "$DEV_TOOLS/bin/uv" pip freeze --python "$python"
fi > "$DEV_SHARE/python.txt.new"
mv "$DEV_SHARE/python.txt.new" "$DEV_SHARE/python.txt"
