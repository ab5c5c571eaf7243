#!/usr/bin/env bash
# Before packages are installed in place: a run that was killed may have left some half installed, and uv stops at them.
# uv and pip write RECORD last, with INSTALLER in it. A layer of an image needs none of this.
set -euo pipefail
for half in "$DEV_PREFIX"/lib/python*/site-packages/*.dist-info; do
  if [[ $DEV_PYTHON_MANAGER != conda && -d $half ]] && ! grep -qs '/INSTALLER,' "$half/RECORD"; then
    echo "devenv: $half is half installed; it is installed again."
    rm -rf "$half"
  fi
done
