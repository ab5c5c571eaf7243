#!/bin/sh
# build-rpm.sh SOURCE OUT: what hosts of RHEL 9 and 10 see, as repositories of STAND-IN packages, each package signed:
#   OUT/rhel9, OUT/rhel10                 installed/ (what the host starts with), BaseOS/, AppStream/ (compiler, headers, dkms)
#   OUT/compute/cuda/repos/rhelN/<machine>  NVIDIA's repository; the one for RHEL 9 with module streams
#   OUT/compute/cuda/repos/rhel10-faults    the same as rhel10, and 595.99.99 whose module does not compile
#   and those of containers.sh
set -eu
src=$1 out=$2 stage=
for file in lib parts toolkit containers; do
  # shellcheck source=/dev/null
  . "$src/$file.sh"
done
machine=$(uname -m)
folder=$machine
[ "$machine" != aarch64 ] || folder=sbsa
build_rpm() { # SPEC DIRECTORY DEFINES...
  spec=$1 target=$2
  shift 2
  mkdir -p "$target"
  work=$(mktemp -d)
  rpmbuild -bb --quiet --define "_topdir $work" --define "_rpmdir $work/rpms" --define '_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm' \
    --define '_binary_payload w1.gzdio' "$@" "$src/$spec.spec" > "$work/log" 2>&1 || { cat "$work/log"; exit 1; }
  mv "$work"/rpms/*.rpm "$target"
  rm -rf "$work"
}
one() { # DIRECTORY NAME VERSION RELEASE DEFINES...
  target=$1 name=$2 number=$3 revision=$4
  shift 4
  build_rpm one "$target" --define "package $name" --define "number $number" --define "revision $revision" "$@"
}
# A tree with the files of all parts, from which each package takes its own
driver_tree() { # VERSION
  new_stage
  dkms_module "$1" open
  kernel_module "$stage/usr/src/nvidia-$1/nvidia-proprietary.ko" "$1" proprietary
  mv "$stage/usr/lib/modprobe.d/nvidia-blacklists-nouveau.conf" "$stage/usr/lib/modprobe.d/nvidia.conf"
  library libnvidia-ml "$1"; library libcuda "$1"
  part_smi "$1"; part_persistenced; part_modprobe
  to_usr
}
fabric_tree() { new_stage; part_fabricmanager "$1"; library libnvidia-nscq "$1"; library libnvsdm "$1"; to_usr; }
to_usr() { mkdir -p "$stage/usr/lib/systemd"; mv "$stage/lib/systemd/system" "$stage/usr/lib/systemd/system"; rm -rf "${stage:?}/lib" "$stage/DEBIAN"; }

driver() { # VERSION RELEASE-OF-RHEL [FOLDER DEFINES...]
  dir=$out/compute/cuda/repos/${3:-rhel$2}/$folder
  driver_tree "$1"
  build_rpm driver "$dir" --define "driver $1" --define "dist .el$2" --define "stage $stage" ${4:+--define "$4"}
  fabric_tree "$1"
  build_rpm fabric "$dir" --define "driver $1" --define "stage $stage"
}
system() { # RELEASE-OF-RHEL KERNEL-VERSION KERNEL-RELEASE
  base=$out/rhel$1
  uname=$2-$3.$machine
  # what the userland is believed to consist of
  new_stage; mkdir -p "$stage/etc"; echo "Red Hat Enterprise Linux release $1 (SIMULATED)" > "$stage/etc/redhat-release"; rm -rf "$stage/DEBIAN"
  one "$base/installed" redhat-release "$1" "1.el$1" --define "tree $stage" \
    --define "provides system-release = $1, system-release(releasever) = $1, /bin/sh, bash, systemd, dnf, python3-dnf, kmod, dracut, rpm"
  one "$base/installed" kernel-core "$2" "$3" --define "provides kernel-core-uname-r = $uname, kernel = $2-$3"
  new_stage
  echo '# SIMULATED kernel headers' | text "usr/src/kernels/$uname/Makefile"
  mkdir -p "$stage/lib/modules/$uname"
  ln -s "/usr/src/kernels/$uname" "$stage/lib/modules/$uname/build"
  rm -rf "$stage/DEBIAN"
  one "$base/AppStream" kernel-devel "$2" "$3" --define "tree $stage" --define "provides kernel-devel-uname-r = $uname, installonlypkg(kernel)" \
    --define 'after [ ! -x /usr/share/gpuready-standin/dkms-build ] || /usr/share/gpuready-standin/dkms-build autoinstall'
  one "$base/AppStream" kernel-headers "$2" "$3"
  one "$base/AppStream" kernel-devel-matched "$2" "$3" --define "requires kernel-devel = $2-$3"
  for name in gcc make dkms infiniband-diags elfutils-libelf-devel epel-release mokutil python3-dnf-plugin-versionlock; do
    new_stage; rm -rf "$stage/DEBIAN"
    case $name in dkms) put 755 bin/simulated usr/sbin/dkms ;; gcc|make) put 755 bin/simulated "usr/bin/$name" ;; *) mkdir -p "$stage/usr/share/doc/$name" ;; esac
    one "$base/AppStream" "$name" 1 "1.el$1" --define "tree $stage"
  done
  one "$base/BaseOS" bash 5 "1.el$1"
}
sign_rpms() { find "$out" -name '*.rpm' -print0 | xargs -0 -n 200 rpmsign --define "_gpg_name $fingerprint" --addsign >/dev/null; }

for version in 580.159.03 580.178.04 595.71.05; do driver "$version" 9; driver "$version" 10; done
mkdir -p "$out/compute/cuda/repos/rhel10-faults"
cp -al "$out/compute/cuda/repos/rhel10/$folder" "$out/compute/cuda/repos/rhel10-faults/$folder"
driver 595.99.99 10 rhel10-faults 'broken broken'
one "$out/compute/cuda/repos/rhel10/$folder" nvlsm 2025.10.11 1
one "$out/compute/cuda/repos/rhel9/$folder" nvlsm 2025.10.11 1
system 9 5.14.0 611.5.1.el9_7
system 10 6.12.0 124.8.1.el10_1
engine 10
for version in 1.19.1 1.20.0; do toolkit_rpms "$version"; done
fingerprint=$(gpg --with-colons --list-keys | awk -F: '$1 == "fpr" { print $10; exit }')
sign_rpms
for repository in "$out"/rhel*/BaseOS "$out"/rhel*/AppStream "$out"/compute/cuda/repos/rhel*/"$folder" "$out"/docker/linux/rhel/*/*/stable "$out"/stable/rpm/*; do createrepo_c --quiet "$repository"; done
sh "$src/streams.sh" "$out/compute/cuda/repos/rhel9/$folder" "$machine" > "$GNUPGHOME/modules.yaml"
modifyrepo_c --mdtype=modules "$GNUPGHOME/modules.yaml" "$out/compute/cuda/repos/rhel9/$folder/repodata" >/dev/null
place_key "$out/compute/cuda/repos/rhel9/$folder" D42D0685.pub
place_key "$out/compute/cuda/repos/rhel10/$folder" CDF6BA43.pub
place_key "$out/compute/cuda/repos/rhel10-faults/$folder" CDF6BA43.pub
place_key "$out/docker/linux/rhel" gpg
publish_key "$out"
