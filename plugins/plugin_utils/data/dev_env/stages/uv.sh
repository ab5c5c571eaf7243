#!/usr/bin/env bash
# uv in a virtual environment of its own, from the package index, by the sums in the input "uv.txt". DEV_TOOLS.
set -euo pipefail
# shellcheck source=network.sh
. "$DEV_INPUTS/network.sh"

wanted=$(sed -n 's/^uv==\([^ ]*\).*/\1/p' "$DEV_INPUTS/uv.txt")
# empty where it is not there yet, or broken: both are fetched below
found=$("$DEV_TOOLS/bin/uv" --version 2> /dev/null | cut -d' ' -f2 || true)
if [[ $found == "$wanted" ]]; then
  exit 0
fi
if [[ ! -x $DEV_TOOLS/bin/pip ]]; then
  rm -rf "$DEV_TOOLS"
  mkdir -p "${DEV_TOOLS%/*}"
  /usr/bin/python3 -m venv "$DEV_TOOLS"
fi
"$DEV_TOOLS/bin/pip" install --no-cache-dir --disable-pip-version-check --require-hashes -r "$DEV_INPUTS/uv.txt"
