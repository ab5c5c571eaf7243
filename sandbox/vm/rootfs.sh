#!/bin/sh
# rootfs.sh ARCHIVE OUT.tar: Debian 12 with its ordinary kernel, as a tar file. Of the kernel's modules only those that the
# machine can use are unpacked, nouveau among them: emulated programs are slow, and depmod reads them all.
set -eu
archive=$1 out=$2
set -f  # the patterns are dpkg's
for path in 'arch/*' 'crypto/*' 'lib/*' 'net/core/*' 'fs/ext4/*' 'fs/jbd2/*' 'fs/mbcache*' 'fs/autofs/*' 'drivers/acpi/*' \
  'drivers/block/virtio*' 'drivers/char/hw_random/*' 'drivers/gpu/drm/drm*' 'drivers/gpu/drm/display/*' \
  'drivers/gpu/drm/nouveau/*' 'drivers/gpu/drm/ttm/*' 'drivers/i2c/*' 'drivers/media/cec/*' 'drivers/media/rc/*' 'drivers/net/net_failover*' \
  'drivers/net/virtio*' 'drivers/platform/x86/*wmi*' 'drivers/video/*' 'drivers/virtio/*'; do
  set -- "$@" "--dpkgopt=path-include=/lib/modules/*/kernel/$path"
done
shift 2
# INITRD=No: the image's own is made later, once
# shellcheck disable=SC2016  # the hook's own $1
INITRD=No mmdebstrap --quiet --variant=minbase --mode=root \
  --aptopt='Acquire::Languages "none"' --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Check-Date "false"' \
  --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/lib/modules/*/kernel/*' "$@" \
  --include=ca-certificates,dbus,grub-pc-bin,grub2-common,initramfs-tools,iproute2,kmod,linux-image-amd64,openssh-server \
  --include=pciutils,procps,python3,python3-apt,systemd,systemd-sysv,udev,zstd \
  --customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin; : > "$1"/etc/apt/sources.list' \
  bookworm "${out%.tar}.new.tar" "deb $archive bookworm main"
mv "${out%.tar}.new.tar" "$out"
