#!/usr/bin/env bash
# Managed by gpuready.bootstrap.storage_mounts
# gpuready-sync [--dry-run] [--mirror] [--limit MB_PER_S] SOURCE TARGET: copy models or data over the network, go on where an
# earlier copy was broken off, and check beforehand that there is room. One of the two may be [USER@]HOST:PATH.
set -euo pipefail

die() { printf 'gpuready-sync: %s\n' "$*" >&2; exit 2; }
usage() { sed -n '3,4s/^# //p' "$0"; }

dry='' mirror='' limit=''
while [ $# -gt 0 ]; do
  case $1 in
    --dry-run) dry=1 ;;
    --mirror) mirror=1 ;;  # files that the source lacks are deleted from the target
    --limit) limit=${2:?megabytes per second}; shift ;;
    -h | --help) usage; exit 0 ;;
    -*) die "unknown option $1" ;;
    *) break ;;
  esac
  shift
done
[ $# -eq 2 ] || { usage >&2; exit 2; }
source=$1 target=$2
command -v rsync >/dev/null || die "rsync is missing; install the package rsync"
is_remote() { [[ $1 == *:* && ${1%%:*} != */* ]]; }
if is_remote "$source" && is_remote "$target"; then die "only one of the two can be on another machine"; fi
is_remote "$source" || [ -e "$source" ] || die "there is no $source here"

# -H: a cache of models holds a file once and links to it; --partial-dir: half a file never has its final name
options=(-aH --partial-dir=.gpuready-partial)
[ -z "$mirror" ] || options+=(--delete-after)
if is_remote "$source" || is_remote "$target"; then options+=(-e "ssh -o BatchMode=yes -o Compression=no -o ConnectTimeout=10"); fi

# Room: what would be sent, against what is free at the nearest folder that exists. Not knowing is no reason to begin.
said=$(LC_ALL=C rsync "${options[@]}" --dry-run --stats "$source" "$target") || die "rsync cannot compare $source with $target"
needed=$(sed -n 's/^Total transferred file size: \([0-9,]*\) bytes.*/\1/p' <<<"$said" | tr -d ,)
[ -n "$needed" ] || die "rsync does not say how much there is to copy"
# shellcheck disable=SC2016  # the other side expands it
probe='p=$1; while [ ! -d "$p" ]; do p=$(dirname "$p"); done; df -B1 --output=avail "$p" | tail -n 1'
if is_remote "$target"; then
  free=$(ssh -o BatchMode=yes -o ConnectTimeout=10 "${target%%:*}" "sh -c '$probe' _ $(printf %q "${target#*:}")" | tr -d ' ') ||
    die "${target%%:*} cannot be reached by ssh with a key"
else
  free=$(sh -c "$probe" _ "$target" | tr -d ' ')
fi
[ -n "$free" ] || die "nobody knows how much room there is for $target"
if [ "$needed" -gt "$free" ]; then
  die "$target has $((free / 1000000)) MB free, but $((needed / 1000000)) MB have to be copied; make room first"
fi
options+=(--human-readable --info=stats1)
[ ! -t 1 ] || options+=(--info=progress2)
[ -z "$limit" ] || options+=("--bwlimit=${limit}m")
[ -z "$dry" ] || options+=(--dry-run)
exec rsync "${options[@]}" "$source" "$target"
