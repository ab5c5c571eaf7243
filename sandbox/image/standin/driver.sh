# shellcheck shell=sh
# NVIDIA's driver packages for Debian, all versions of one branch beside each other. Sourced after lib.sh and parts.sh.
# Names: nvidia-facts 3.7 (driver installation guide, GPU driver container).
driver() { # VERSION DIR [FAULT]; FAULT: no-fabricmanager, broken-module
  v=$1-1 dir=$2 fault=${3:-}
  pinning "$dir" "${1%%.*}"
  broken=
  [ "$fault" != broken-module ] || broken=broken
  new_stage; dkms_module "$1" open "$broken"
  package "$dir" nvidia-kernel-open-dkms "$v" dkms 'Conflicts: nvidia-kernel-dkms
Replaces: nvidia-kernel-dkms'
  new_stage; dkms_module "$1" proprietary "$broken"
  package "$dir" nvidia-kernel-dkms "$v" dkms 'Conflicts: nvidia-kernel-open-dkms
Replaces: nvidia-kernel-open-dkms'
  new_stage; part_library libnvidia-ml "$1"; package "$dir" libnvidia-ml1 "$v"
  new_stage; part_library libcuda "$1"; package "$dir" libcuda1 "$v"
  new_stage; part_modprobe; package "$dir" nvidia-modprobe "$v"
  new_stage; part_persistenced
  package "$dir" nvidia-persistenced "$v" "nvidia-modprobe (= $v), nvidia-kernel-open-dkms (= $v) | nvidia-kernel-dkms (= $v)"
  new_stage; part_smi "$1"
  package "$dir" nvidia-driver-cuda "$v" "libnvidia-ml1 (= $v), libcuda1 (= $v), nvidia-persistenced (= $v), nvidia-modprobe (= $v)"
  meta "$dir" nvidia-open "$v" "nvidia-driver-cuda (= $v), nvidia-kernel-open-dkms (= $v)"
  meta "$dir" cuda-drivers "$v" "nvidia-driver-cuda (= $v), nvidia-kernel-dkms (= $v)"
  fabric "$1" "$v" "$dir" "$fault"
}

# The parts of machines with NVSwitch; unversioned names from 580 on
fabric() { # VERSION PACKAGE-VERSION DIR [FAULT]
  if [ "${4:-}" != no-fabricmanager ]; then
    new_stage; part_fabricmanager "$1"; package "$3" nvidia-fabricmanager "$2"
  fi
  new_stage; part_library libnvidia-nscq "$1"; package "$3" libnvidia-nscq "$2"
  new_stage; part_library libnvsdm "$1"; package "$3" libnvsdm "$2"
}
# NVLink 5's subnet manager is numbered by year, not by driver
nvlsm() { # DIR
  new_stage; put 755 bin/simulated usr/bin/nvlsm; package "$1" nvlsm 2025.10.11-1
}

# What NVIDIA's repository also brings, so that nothing comes from the distribution's archive when nobody asked for it
dkms_package() { # DIR
  new_stage; put 755 bin/dkms usr/sbin/dkms; mkdir -p "$stage/var/lib/dkms"
  package "$1" dkms 99:3.2.2-1
}
