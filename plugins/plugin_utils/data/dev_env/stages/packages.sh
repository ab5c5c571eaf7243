#!/usr/bin/env bash
# Python packages by a lock with sums: the input "requirements.txt"; project mode: "pyproject.toml" and "uv.lock", or the
# checked-out repository DEV_PROJECT. At the end: which torch came. Packages that users added stay.
# DEV_PREFIX DEV_TOOLS DEV_PYTHON_MANAGER DEV_PYTHON_DIR DEV_CACHE DEV_OWNER DEV_SHARE DEV_TORCH_BACKEND DEV_CPU_ACCEPTED
# DEV_PROJECT DEV_EXTRAS (separated by blanks)
set -euo pipefail
# shellcheck source=network.sh
. "$DEV_INPUTS/network.sh"

uv=$DEV_TOOLS/bin/uv
export UV_CACHE_DIR=$DEV_CACHE/uv UV_PYTHON_INSTALL_DIR=$DEV_PYTHON_DIR UV_NO_PROGRESS=1 UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1
export UV_PYTHON_DOWNLOADS=never

torch_index() { # the address of the wheels' index, empty where the lock needs none
  local url
  # its builds have a local version, such as 2.11.0+cu128; those of the package index have none, and other sums
  if ! grep -qE '^torch[a-z]*==[^ ]*[+]' "$DEV_INPUTS/requirements.txt" || [[ ! $DEV_TORCH_BACKEND =~ ^(cpu|cu[0-9]+)$ ]]; then
    return 0
  fi
  url=$(mirror torch)
  url=${url:-https://download.pytorch.org/whl}
  url=${url//"{cuda}"/$DEV_TORCH_BACKEND}
  # the mirror of one build serves only that
  [[ ${url%/} == */"$DEV_TORCH_BACKEND" ]] || url=${url%/}/$DEV_TORCH_BACKEND
  echo "$url"
}

from_lock() {
  local options=(--require-hashes -r "$DEV_INPUTS/requirements.txt") index
  index=$(torch_index)
  if [[ $DEV_PYTHON_MANAGER == venv ]]; then
    "$DEV_PREFIX/bin/python" -m pip install --no-cache-dir --disable-pip-version-check ${index:+--extra-index-url "$index"} "${options[@]}"
    "$DEV_PREFIX/bin/python" -m pip check
  else
    # versions and sums are settled: which index answers cannot change what comes
    "$uv" pip install --python "$DEV_PREFIX/bin/python" ${index:+--index "$index"} --index-strategy unsafe-best-match "${options[@]}"
    "$uv" pip check --python "$DEV_PREFIX/bin/python"
  fi
}

from_project() { # FOLDER [OPTIONS]
  local folder=$1 options=(--frozen --inexact --python "$DEV_PREFIX/bin/python") extra
  shift
  for extra in $DEV_EXTRAS; do
    options+=(--extra "$extra")
  done
  UV_PROJECT_ENVIRONMENT=$DEV_PREFIX "$uv" sync --directory "$folder" "${options[@]}" "$@"
}

if grep -q '^[^#[:space:]]' "$DEV_INPUTS/requirements.txt"; then
  from_lock
fi
if [[ -s $DEV_INPUTS/uv.lock ]]; then
  project=$(mktemp -d)
  trap 'rm -rf "$project"' EXIT
  cp "$DEV_INPUTS/pyproject.toml" "$DEV_INPUTS/uv.lock" "$project"
  # the repository's own package comes with the repository
  from_project "$project" --no-install-project
elif [[ -n ${DEV_PROJECT:-} ]]; then
  [[ -s $DEV_PROJECT/uv.lock ]] || refuse "$DEV_PROJECT has no uv.lock; run 'uv lock' there, and add the file to the repository."
  from_project "$DEV_PROJECT"
fi
give_to_user "$DEV_PREFIX"
mkdir -p "$DEV_SHARE"
"$DEV_PREFIX/bin/python" "$DEV_INPUTS/torch_check.py" "$DEV_TORCH_BACKEND" "$DEV_CPU_ACCEPTED" "$DEV_SHARE/torch.json"
if [[ $DEV_PYTHON_MANAGER == venv ]]; then
  "$DEV_PREFIX/bin/python" -m pip freeze
else
  "$uv" pip freeze --python "$DEV_PREFIX/bin/python"
fi > "$DEV_SHARE/python.txt.new"
mv "$DEV_SHARE/python.txt.new" "$DEV_SHARE/python.txt"
