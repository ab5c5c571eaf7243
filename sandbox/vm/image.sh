#!/bin/sh
# image.sh ROOTFS.tar FAKEGPU.ko|- KEY.pub OUT: OUT/disk.raw, which boots through GRUB, and OUT/known_hosts. -: no card.
# The card is there from the first second: its module stands in the initial file system, beside nouveau, which takes it
# unless a blacklist in that file system says otherwise. That is what the tests are about.
set -eu
tar=$1 card=$2 key=$3 out=$4
here=$(cd "$(dirname "$0")" && pwd)
size=$((6 * 1024 * 1024 * 1024)) start=$((1024 * 1024))
mkdir -p "$out"
out=$(cd "$out" && pwd)
root=$(mktemp -d "$out/root.XXXXXX")
chmod 755 "$root"
trap 'rm -rf "$root"' EXIT
tar -C "$root" -xf "$tar"

cp -R "$here/overlay/." "$root"
kernel=$(basename "$root"/boot/vmlinuz-*)
kernel=${kernel#vmlinuz-}
[ "$card" = - ] || install -D -m 644 "$card" "$root/lib/modules/$kernel/extra/fakegpu.ko"
install -D -m 600 "$key" "$root/root/.ssh/authorized_keys"
rm -f "$root"/etc/ssh/ssh_host_*
ssh-keygen -q -t ed25519 -N '' -C '' -f "$root/etc/ssh/ssh_host_ed25519_key"
printf 'gpuready-vm %s\n' "$(cat "$root/etc/ssh/ssh_host_ed25519_key.pub")" > "$out/known_hosts"
printf 'virtio_pci\nvirtio_blk\next4\n' >> "$root/etc/initramfs-tools/modules"
[ "$card" = - ] || echo fakegpu >> "$root/etc/initramfs-tools/modules"
: > "$root/etc/machine-id"
chroot "$root" systemctl enable -q systemd-networkd ssh
chroot "$root" systemctl mask -q systemd-timesyncd.service systemd-networkd-wait-online.service systemd-binfmt.service \
  proc-sys-fs-binfmt_misc.automount apt-daily.timer apt-daily-upgrade.timer e2scrub_reap.service e2scrub_all.timer \
  fstrim.timer dpkg-db-backup.timer getty@tty1.service serial-getty@ttyS0.service
chroot "$root" depmod "$kernel"
chroot "$root" update-initramfs -c -k "$kernel" >/dev/null 2>&1

# norandmaps: QEMU finds code that it has translated by its address, so programs start four times faster without random ones
mkdir -p "$root/boot/grub"
cp -R "$root/usr/lib/grub/i386-pc" "$root/boot/grub/"
cat > "$root/boot/grub/grub.cfg" <<GRUB
serial --unit=0 --speed=115200
terminal_input serial
terminal_output serial
set default="0"
set timeout=0
search --no-floppy --set=root --label root
menuentry 'Debian GNU/Linux' {
	linux	/boot/vmlinuz-$kernel root=LABEL=root ro console=ttyS0 norandmaps mitigations=off
	initrd	/boot/initrd.img-$kernel
}
GRUB
chroot "$root" grub-mkimage -O i386-pc -o /core.img -p '(hd0,msdos1)/boot/grub' biosdisk part_msdos ext2 search search_label serial terminal normal
mv "$root/core.img" "$out/core.img"
cp "$root/usr/lib/grub/i386-pc/boot.img" "$out/boot.img"

# One partition, written without a loop device: file system at 1 MiB, GRUB's core between it and the partition table
rm -f "$out/disk.raw"
truncate -s "$size" "$out/disk.raw"
mke2fs -q -F -t ext4 -b 4096 -L root -E "offset=$start,lazy_itable_init=1" -d "$root" "$out/disk.raw" $(((size - start) / 4096)) 2>/dev/null
dd if="$out/boot.img" of="$out/disk.raw" bs=440 count=1 conv=notrunc status=none
dd if="$out/core.img" of="$out/disk.raw" bs=512 seek=1 conv=notrunc status=none
# MBR entry: bootable, type 83, 2048 sectors to $((size / 512 - 2048)) more; then the signature
{ printf '\200\376\377\377\203\376\377\377'; for number in $((start / 512)) $(((size - start) / 512)); do
    for shift in 0 8 16 24; do printf '%b' "\\0$(printf %o $((number >> shift & 255)))"; done
  done; } | dd of="$out/disk.raw" bs=1 seek=446 conv=notrunc status=none
printf '\125\252' | dd of="$out/disk.raw" bs=1 seek=510 conv=notrunc status=none
rm -f "$out/core.img" "$out/boot.img"
