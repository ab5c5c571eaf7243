# shellcheck shell=sh
# What plays Ubuntu's archive: the -server branches with modules that Canonical has built and signed, kernel headers and the
# compiler. Names: Ubuntu server documentation, ubuntu-drivers-common. Sourced after nvidia-ubuntu.sh.
archive_driver() { # VERSION DIR MODULES-REVISION KERNEL
  b=${1%%.*}-server v=$1-0ubuntu0.24.04.1 dir=$2
  new_stage
  printf 'blacklist nouveau\noptions nouveau modeset=0\n' | text "usr/lib/modprobe.d/nvidia-graphics-drivers.conf"
  package "$dir" "nvidia-kernel-common-$b" "$v" '' "$(generic nvidia-kernel-common "$v")"
  new_stage; library libcuda "$1"; part_library libnvidia-ml "$1"; package "$dir" "libnvidia-compute-$b" "$v" '' "$(generic libnvidia-compute "$v")"
  new_stage; part_modprobe; ubuntu_persistenced; package "$dir" "nvidia-compute-utils-$b" "$v" "libnvidia-compute-$b (= $v)" "$(generic nvidia-compute-utils "$v")"
  new_stage; part_smi "$1"; package "$dir" "nvidia-utils-$b" "$v" "libnvidia-compute-$b (= $v)" "$(generic nvidia-utils "$v")"
  for flavour in -open ''; do
    kind=open
    [ -n "$flavour" ] || kind=proprietary
    new_stage; dkms_module "$1" $kind; package "$dir" "nvidia-dkms-$b$flavour" "$v" "dkms, nvidia-kernel-common-$b (= $v)" "$(generic nvidia-dkms-kernel "$v")"
    meta "$dir" "nvidia-headless-no-dkms-$b$flavour" "$v" "libnvidia-compute-$b (= $v), nvidia-compute-utils-$b (= $v), nvidia-kernel-common-$b (= $v)"
    meta "$dir" "nvidia-headless-$b$flavour" "$v" "nvidia-headless-no-dkms-$b$flavour (= $v), nvidia-dkms-$b$flavour (= $v)"
    meta "$dir" "nvidia-driver-$b$flavour" "$v" "nvidia-headless-no-dkms-$b$flavour (= $v), nvidia-utils-$b (= $v), nvidia-dkms-$b$flavour (= $v)"
    prebuilt "$1" "$b$flavour" "$kind" "$4" "$3"
  done
  new_stage; part_fabricmanager "$1"; package "$dir" "nvidia-fabricmanager-${1%%.*}" "$v" '' "$(generic nvidia-fabricmanager "$v")"
  new_stage; part_library libnvidia-nscq "$1"; package "$dir" "libnvidia-nscq-${1%%.*}" "$v" '' "$(generic libnvidia-nscq "$v")"
}

# A module built and signed by the distribution, its package numbered like the kernel, and the one that follows the flavour
prebuilt() { # VERSION BRANCH open|proprietary KERNEL REVISION
  new_stage
  module=$stage/lib/modules/$4/kernel/nvidia-$(echo "$2" | sed 's/-server/srv/')/nvidia.ko
  kernel_module "$module" "$1" "$3"
  printf 'SIMULATED signature of Canonical\n' >> "$module"
  script postinst "depmod $4 2>/dev/null || :"
  script postrm "[ ! -d /lib/modules/$4 ] || depmod $4 2>/dev/null || :"
  driver_part="nvidia-kernel-common-${2%-open} (<= $1-1), nvidia-kernel-common-${2%-open} (>= $1)"
  package "$dir" "linux-modules-nvidia-$2-$4" "$5" "$driver_part"
  meta "$dir" "linux-modules-nvidia-$2-${4##*-}" "$5" "linux-modules-nvidia-$2-$4 (= $5), $driver_part"
}

# A branch that is over becomes the next one behind the user's back
transitional() { # FROM TO VERSION DIR MODULES-REVISION FLAVOUR
  v=$3-0ubuntu0.24.04.1
  for name in nvidia-headless-no-dkms-%-open nvidia-headless-no-dkms-% nvidia-driver-%-open nvidia-driver-% nvidia-utils-% libnvidia-compute-%; do
    meta "$4" "$(echo "$name" | sed "s/%/$1/")" "$v" "$(echo "$name" | sed "s/%/$2/") (= $v)"
  done
  for kind in -open ''; do
    meta "$4" "linux-modules-nvidia-$1$kind-$6" "$5" "linux-modules-nvidia-$2$kind-$6 (= $5)"
  done
}

archive_base() { # DIR KERNEL
  for name in gcc make dkms infiniband-diags; do
    new_stage; put 755 bin/simulated "usr/bin/$name"; package "$1" "$name" 99:1-1ubuntu1
  done
  kernel_headers "$2" "$1" "${2%-*}.999"
  meta "$1" "linux-headers-${2##*-}" "${2%-*}.999" "linux-headers-$2"
}

suite() { # NAME, in $out/ubuntu with pool/NAME/main and pool/NAME/restricted
  cd "$out/ubuntu" || exit 1
  for component in main restricted; do
    mkdir -p "dists/$1/$component/binary-$arch" "pool/$1/$component"
    apt-ftparchive packages "pool/$1/$component" > "dists/$1/$component/binary-$arch/Packages"
    gzip -kf "dists/$1/$component/binary-$arch/Packages"
  done
  cd "dists/$1" || exit 1
  apt-ftparchive -o APT::FTPArchive::Release::Origin=Ubuntu -o APT::FTPArchive::Release::Label=Ubuntu -o "APT::FTPArchive::Release::Suite=$1" \
    -o APT::FTPArchive::Release::Codename=noble -o APT::FTPArchive::Release::Version=24.04 -o "APT::FTPArchive::Release::Architectures=$arch" \
    -o 'APT::FTPArchive::Release::Components=main restricted' release . > ../Release.new
  mv ../Release.new Release
  gpg --batch --yes --clearsign -o InRelease Release
}
