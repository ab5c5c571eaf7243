#!/bin/sh
# note.sh FOLDER: keeps copies of what must not change, and digests of /etc
set -eu
mkdir -p "$1"
cp -a /root/.ssh/authorized_keys /root/.bashrc "$1"
cp -a /etc/ssh "$1/ssh"
find /etc -xdev \( -type f -o -type l \) ! -name ld.so.cache | LC_ALL=C sort | while read -r path; do
  if [ -L "$path" ]; then echo "$path -> $(readlink "$path")"; else echo "$path $(stat -c %a "$path") $(sha256sum < "$path")"; fi
done > "$1/etc.new"
mv "$1/etc.new" "$1/etc"
