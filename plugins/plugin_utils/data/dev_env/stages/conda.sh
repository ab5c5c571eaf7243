#!/usr/bin/env bash
# Miniforge by the sum of its installer: the input "downloads". Settings: the input "condarc". The channels of Anaconda are
# refused without consent to their terms. DEV_CONDA DEV_CONDA_VERSION DEV_ANACONDA_TERMS (yes or no) DEV_OWNER
set -euo pipefail
# shellcheck source=network.sh
. "$DEV_INPUTS/network.sh"

if [[ $DEV_ANACONDA_TERMS != yes ]] \
  && grep -qE '^ *- *(defaults|main|r|msys2|.*repo\.anaconda\.com.*|.*/pkgs/.*)$' "$DEV_INPUTS/condarc"; then
  refuse "dev_conda.channels names a channel of Anaconda, whose terms must be accepted (dev_conda.accept_anaconda_terms); use conda-forge."
fi
if [[ $(cat "$DEV_CONDA/.devenv-version" 2> /dev/null) != "$DEV_CONDA_VERSION" ]]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  fetch miniforge.sh "$work"
  # -u: over an older one, whose environments stay
  bash "$work/miniforge.sh" -b -u -p "$DEV_CONDA"
  # only space is won: a package that cannot be removed does no harm
  find "$DEV_CONDA/pkgs" -mindepth 1 -maxdepth 1 ! -name urls.txt -exec rm -rf {} + 2> /dev/null || true
  echo "$DEV_CONDA_VERSION" > "$DEV_CONDA/.devenv-version"
fi
install -m 0644 "$DEV_INPUTS/condarc" "$DEV_CONDA/.condarc.new"
mv "$DEV_CONDA/.condarc.new" "$DEV_CONDA/.condarc"
give_to_user "$DEV_CONDA"
