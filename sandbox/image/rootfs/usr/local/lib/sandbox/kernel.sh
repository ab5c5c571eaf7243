# shellcheck shell=sh
# Modules and made-up kernels of a sandbox host, sourced by host-init before systemd starts. The container runs the kernel of the
# machine around it; what a host shows of its own kernel is put over it: release, command line, loaded modules, boot loader, and
# an initial file system that the distribution's own tool makes. `uname -r` still tells the truth.
#   SANDBOX_KERNEL       releases, separated by blanks; the first one is the boot loader's first choice
#   SANDBOX_SECURE_BOOT  1: UEFI says that Secure Boot is on
#   SANDBOX_NOUVEAU      1: nouveau takes the card at a start, unless the root and the initial file system blacklist it
rhel() { grep -q '^ID_LIKE=.*rhel\|^ID="*rhel' /etc/os-release; }

make_image() { # RELEASE: the initial file system; dracut would take longer than all the rest of a start
  if rhel; then
    (cd / && find etc/modprobe.d usr/lib/modprobe.d | cpio --quiet -o -H newc | gzip > "/boot/initramfs-$1.img")
  else
    update-initramfs -c -k "$1" > /run/sandbox/initramfs.log 2>&1
  fi
}

make_kernel() { # RELEASE
  [ ! -e "/lib/modules/$1/kernel" ] || return 0
  mkdir -p "/lib/modules/$1/kernel"
  for name in modules.builtin modules.builtin.modinfo modules.order; do : > "/lib/modules/$1/$name"; done
  depmod "$1"
  echo "SIMULATED kernel $1" > "/boot/vmlinuz-$1"
  printf 'CONFIG_%s=y\n' MODULES BLK_DEV_INITRD RD_GZIP RD_ZSTD > "/boot/config-$1"
  make_image "$1"
}

grub_folder() { if rhel; then echo /boot/grub2; else echo /boot/grub; fi; }

make_grub() {
  [ ! -e "$(grub_folder)/grub.cfg" ] || return 0
  mkdir -p "$(grub_folder)"
  printf 'GRUB_DEFAULT=0\nGRUB_TIMEOUT=5\nGRUB_CMDLINE_LINUX_DEFAULT="quiet"\nGRUB_CMDLINE_LINUX=""\n' > /etc/default/grub
  {
    printf '# SIMULATED boot loader configuration\nset default="0"\n'
    for release in $SANDBOX_KERNEL; do
      image=/boot/initrd.img-$release
      ! rhel || image=/boot/initramfs-$release.img
      printf "menuentry 'SIMULATED %s' {\n\tlinux\t/boot/vmlinuz-%s root=/dev/vda1 ro quiet\n\tinitrd\t%s\n}\n" "$release" "$release" "$image"
    done
  } > "$(grub_folder)/grub.cfg"
}

secure_boot() {
  mount -t tmpfs -o mode=0755 tmpfs /sys/firmware
  mkdir -p /sys/firmware/efi/efivars
  vendor=8be4df61-93ca-11d2-aa0d-00e098032b8c
  printf '\006\000\000\000\001' > "/sys/firmware/efi/efivars/SecureBoot-$vendor"
  printf '\006\000\000\000\000' > "/sys/firmware/efi/efivars/SetupMode-$vendor"
}

blacklisted() { # RELEASE: in the root file system and in the initial one
  grep -rqs '^blacklist nouveau' /etc/modprobe.d /usr/lib/modprobe.d || return 1
  opened=$(mktemp -d) found=1
  if rhel; then (cd "$opened" && lsinitrd --unpack "/boot/initramfs-$1.img"); else unmkinitramfs "/boot/initrd.img-$1" "$opened"; fi
  ! grep -rqs '^blacklist nouveau' "$opened" || found=0
  rm -rf "$opened"
  return $found
}

load_nouveau() {
  mkdir -p /sys/module/nouveau
  for dir in /sys/bus/pci/devices/*.0; do
    case $(cat "$dir/class") in 0x0300*|0x0302*) ln -s ../../../bus/pci/drivers/nouveau "$dir/driver" ;; esac
  done
}

# Loading and removing NVIDIA's modules by name, as on a machine that has them; what else is asked goes to the real program
stand_in_for_kmod() {
  for name in modprobe rmmod; do ln -sf /usr/local/lib/sandbox/kmod "/usr/local/sbin/$name"; done
}

# A folder of modules to which stand-ins can be added, beside those of the machine around the host
show_modules() {
  mkdir -p /run/sandbox/modules
  mount --bind /sys/module /run/sandbox/modules
  mount -t tmpfs -o mode=0755 tmpfs /sys/module
  for module in /run/sandbox/modules/*; do
    case ${module##*/} in nvidia*|nouveau) ;; *) ln -s "$module" /sys/module/ ;; esac
  done
}

start_kernel() {
  for release in $SANDBOX_KERNEL; do make_kernel "$release"; done
  make_grub
  line=$(sed -n 's/^[[:space:]]*linux[[:space:]]*//p' "$(grub_folder)/grub.cfg" | head -n 1)
  release=${line%% *}
  release=${release#/boot/vmlinuz-}
  echo "$release" > /run/sandbox/osrelease
  mount --bind /run/sandbox/osrelease /proc/sys/kernel/osrelease
  echo "BOOT_IMAGE=$line" > /run/sandbox/cmdline
  mount --bind /run/sandbox/cmdline /proc/cmdline
  mount -t tmpfs -o mode=0755 tmpfs /sys/module
  mkdir -p /sys/module/firmware_class/parameters
  echo > /sys/module/firmware_class/parameters/path
  [ "${SANDBOX_SECURE_BOOT:-0}" != 1 ] || secure_boot
  [ "${SANDBOX_NOUVEAU:-0}" != 1 ] || blacklisted "$release" || load_nouveau
}
