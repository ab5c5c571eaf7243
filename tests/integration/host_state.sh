#!/bin/sh
# What a host is made of, one fact a line, below headings. Two hosts of one image give the same text. Left out is what makes a host
# itself (its name and keys), what changes by itself (caches, the system's own backups such as /etc/group-), and what the kernel
# keeps until the next boot (the bridge docker0, files of engines in /run).
LC_ALL=C
export LC_ALL
part() { echo "## $1"; }
part etc
find /etc -xdev \( -name ld.so.cache -o -name 'passwd-' -o -name 'shadow-' -o -name 'group-' -o -name 'gshadow-' -o -name machine-id \
  -o -path /etc/ssh -o -path /etc/hosts -o -path /etc/hostname -o -path /etc/.updated \) -prune \
  -o -type f -printf '%p %m %u:%g ' -exec sh -c 'sha256sum < "$1"' _ {} \; \
  -o -type l -printf '%p -> %l\n' -o -printf '%p/ %m %u:%g\n' | sort
part packages
dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version}\n'
part marks
apt-mark showhold
apt-mark showauto
part sources
# shellcheck disable=SC2016  # apt-get expands it
apt-get indextargets --format '$(URI)' | sort
part unit-files
systemctl list-unit-files --no-legend --plain | awk '{ print $1, $2 }' | sort
part units
systemctl list-units --plain --no-legend --type=service,socket,timer,path --state=running,active,waiting,failed |
  awk '{ print $1, $3, $4 }' | grep -v '^user@\|^user-runtime\|^session\|^apt-daily\|^dpkg-db\|^systemd-tmpfiles-clean' | sort
part folders
find /opt /usr/local /usr/src /usr/lib/modules /srv /home /root /boot /var/lib/gpuready /run/systemd/system /run/cdi/* -xdev \
  -printf '%p %y %m %u:%g\n' 2>/dev/null | grep -v '^/root/\.ansible\|^/root/\.cache' | sort
part var
ls -d /var/lib/* /var/cache/* /var/spool/*
part kernel
cat /proc/cmdline
ls /sys/module
cat /proc/driver/nvidia/version 2>/dev/null
part devices
ls /dev
part net
find /sys/class/net -mindepth 1 ! -name docker0 -printf '%f\n' | sort
exit 0
