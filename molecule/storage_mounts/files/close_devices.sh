#!/bin/sh
# close_devices.sh CONTAINER...: detaches the loop devices of hosts that run; of others there is nothing to do
for name in "$@"; do
  docker exec "$name" sh -c 'for disk in /dev/full-disk /dev/blank-disk; do
    umount -l "$(findmnt -nro TARGET -S "$(readlink -f $disk)")" 2>/dev/null
    losetup -d "$(readlink -f $disk)" 2>/dev/null
  done' 2>/dev/null || true # some may be closed already
done
