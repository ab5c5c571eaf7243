#!/usr/bin/env bash
# The run-time files: the input "manifest" has lines "MODE NAME PATH"; each input goes to its path in one move. Files of the
# manifest before, that this one lacks, are removed. DEV_ETC DEV_RUN DEV_STATE DEV_SERVICE_OWNER
set -euo pipefail

old=$DEV_ETC/manifest
install -d "$DEV_ETC"
install -d -m 0755 "$DEV_RUN"
install -d -m 0700 "$DEV_STATE/ssh"
chown "$DEV_SERVICE_OWNER" "$DEV_RUN" "$DEV_STATE" "$DEV_STATE/ssh"
while read -r mode name path; do
  mkdir -p "${path%/*}"
  install -m "$mode" "$DEV_INPUTS/$name" "$path.devenv-new"
  mv "$path.devenv-new" "$path"
done < "$DEV_INPUTS/manifest"
if [[ -f $old ]]; then
  while read -r _ _ path; do
    awk -v path="$path" '$3 == path { found = 1 } END { exit !found }' "$DEV_INPUTS/manifest" || rm -f "$path"
  done < "$old"
fi
install -m 0644 "$DEV_INPUTS/manifest" "$old.new"
mv "$old.new" "$old"
if [[ -n ${DEV_BASHRC:-} && -f $DEV_BASHRC ]] && ! grep -qF "$DEV_ETC/bashrc" "$DEV_BASHRC"; then
  # shells that are no login shells, such as those of terminals in editors
  printf '\n[ ! -r %s/bashrc ] || . %s/bashrc\n' "$DEV_ETC" "$DEV_ETC" >> "$DEV_BASHRC"
fi
