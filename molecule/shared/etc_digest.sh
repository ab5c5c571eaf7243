#!/bin/sh
# etc_digest.sh FILE: what /etc is made of, one line a file or link, without what changes by itself (FILE - prints it)
digest() {
  find /etc -xdev \( -type f -o -type l \) ! -name ld.so.cache ! -name machine-id ! -path '/etc/ssh/*' ! -path /etc/.updated ! -path /etc/hosts | sort | while read -r path; do
    if [ -L "$path" ]; then echo "$path -> $(readlink "$path")"; else echo "$path $(stat -c %a "$path") $(sha256sum < "$path")"; fi
  done
}
if [ "$1" = - ]; then digest; else digest > "$1.new" && mv "$1.new" "$1"; fi
