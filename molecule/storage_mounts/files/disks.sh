#!/bin/sh
# Two loop devices with numbers of this host's own: other hosts share the kernel, and so the devices
set -eu
[ -e /dev/fuse ] || mknod -m 0666 /dev/fuse c 10 229
[ -e /dev/loop-control ] || mknod -m 0600 /dev/loop-control c 10 237
command -v mkfs.ext4 >/dev/null || DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends e2fsprogs >/dev/null
for disk in full blank; do
  [ -e /var/tmp/$disk.img ] || truncate -s 64M /var/tmp/$disk.img
  if ! [ -e /dev/$disk-disk ]; then
    number=$(losetup -f 2>/dev/null | tr -dc 0-9)
    [ -e "/dev/loop$number" ] || mknod -m 0660 "/dev/loop$number" b 7 "$number"
    losetup "/dev/loop$number" /var/tmp/$disk.img
    ln -s "loop$number" /dev/$disk-disk
  fi
done
blkid -p /dev/full-disk >/dev/null || mkfs.ext4 -q -U "$(cat /proc/sys/kernel/random/uuid)" /dev/full-disk
