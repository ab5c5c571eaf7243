#!/bin/sh
# host_parts.sh KERNEL: on a host with the real driver: builds the card that does not exist, and gives out as one tar file
# what the stand-in packages of the virtual machine are made of. Standard input: the card's sources, as a tar file.
set -eu
kernel=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/card" "$work/out/taken" "$work/out/etc/modprobe.d"
tar -C "$work/card" -xf -
make -s -C "/lib/modules/$kernel/build" "M=$work/card" modules >&2
cp "$work/card/fakegpu.ko" "$work/out/taken/"
for program in nvidia-smi nvidia-modprobe nvidia-persistenced; do
  path=$(command -v "$program") || continue
  cp -L "$path" "$work/out/taken/"
done
cp -L /usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1 "$work/out/taken/"
unit=/lib/systemd/system/nvidia-persistenced.service
[ ! -f "$unit" ] || install -D -m 644 "$unit" "$work/out$unit"
for file in /etc/modprobe.d/nvidia*.conf; do cp -L "$file" "$work/out/etc/modprobe.d/"; done
mkdir -p "$work/out/lib/modules/$kernel/updates/dkms"
cp /lib/modules/"$kernel"/updates/dkms/nvidia*.ko* "$work/out/lib/modules/$kernel/updates/dkms/"
dpkg-query -W -f '${Package}\t${Version}\n' > "$work/out/versions"
echo "$kernel" > "$work/out/kernel"
tar -C "$work/out" -cf - .
