#!/usr/bin/env bash
# Before packages are installed in place: a run that was killed may have left some half installed, and uv stops at them.
# uv and pip write RECORD last, with INSTALLER in it. NAME-VERSION.data of a wheel (PEP 491) is there only until its files
# have gone where they belong: one that is left holds what no RECORD names, and uv refuses each later installation for it.
# A layer of an image needs none of this.
set -euo pipefail
for half in "$DEV_PREFIX"/lib/python*/site-packages/*-*.{dist-info,data}; do
  if [[ $DEV_PYTHON_MANAGER != conda && -d $half ]] && ! grep -qs '/INSTALLER,' "$half/RECORD"; then
    echo "devenv: $half is half installed; it is installed again."
    rm -rf "$half"
  fi
done
