# shellcheck shell=sh
# NVIDIA's repository for Ubuntu: the branch is in every name before 590, in none after (driver installation guide, recent
# updates). A name with a branch provides, conflicts and replaces the one without. Sourced after lib.sh and parts.sh.
# generic NAME SUFFIX VERSION: control lines of a part that exists once on a machine
generic() { # NAME VERSION
  printf 'Provides: %s (= %s)\nConflicts: %s\nReplaces: %s' "$1" "$2" "$1" "$1"
}

branch_in_name() { # VERSION DIR, e.g. 580.159.03
  b=${1%%.*} v=$1-0ubuntu1 dir=$2
  pinning "$dir" "$b"; pinning "$dir" "$1"
  new_stage; dkms_module "$1" open; package "$dir" "nvidia-dkms-$b-open" "$v" "dkms, nvidia-kernel-common-$b (= $v)" "$(generic nvidia-dkms-kernel "$v")"
  new_stage; dkms_module "$1" proprietary; package "$dir" "nvidia-dkms-$b" "$v" "dkms, nvidia-kernel-common-$b (= $v)" "$(generic nvidia-dkms-kernel "$v")"
  meta "$dir" "nvidia-kernel-common-$b" "$v" '' "$(generic nvidia-kernel-common "$v")"
  new_stage; library libcuda "$1"; part_library libnvidia-ml "$1"; package "$dir" "libnvidia-compute-$b" "$v" '' "$(generic libnvidia-compute "$v")"
  new_stage; part_modprobe; ubuntu_persistenced; package "$dir" "nvidia-compute-utils-$b" "$v" "libnvidia-compute-$b (= $v)" "$(generic nvidia-compute-utils "$v")"
  new_stage; part_smi "$1"; package "$dir" "nvidia-utils-$b" "$v" "libnvidia-compute-$b (= $v)" "$(generic nvidia-utils "$v")"
  for flavour in -open ''; do
    meta "$dir" "nvidia-headless-no-dkms-$b$flavour" "$v" "libnvidia-compute-$b (= $v), nvidia-compute-utils-$b (= $v), nvidia-kernel-common-$b (= $v)"
    meta "$dir" "nvidia-driver-$b$flavour" "$v" "nvidia-dkms-$b$flavour (= $v), nvidia-headless-no-dkms-$b$flavour (= $v), nvidia-utils-$b (= $v)"
  done
  meta "$dir" "nvidia-open-$b" "$v" "nvidia-driver-$b-open (= $v)"
  meta "$dir" "cuda-drivers-$b" "$v" "nvidia-driver-$b (= $v)"
  fabric "$1" "$1-1" "$dir"
}

no_branch_in_name() { # VERSION DIR, e.g. 595.71.05
  v=$1-1ubuntu1 dir=$2
  pinning "$dir" "${1%%.*}"; pinning "$dir" "$1"
  new_stage; dkms_module "$1" open; package "$dir" nvidia-dkms-open "$v" "dkms, nvidia-kernel-common (= $v)" "$(generic nvidia-dkms-kernel "$v")"
  new_stage; dkms_module "$1" proprietary; package "$dir" nvidia-dkms "$v" "dkms, nvidia-kernel-common (= $v)" "$(generic nvidia-dkms-kernel "$v")"
  meta "$dir" nvidia-kernel-common "$v"
  new_stage; library libcuda "$1"; part_library libnvidia-ml "$1"; package "$dir" libnvidia-compute "$v"
  new_stage; part_modprobe; package "$dir" nvidia-modprobe "$v" '' 'Conflicts: nvidia-compute-utils
Replaces: nvidia-compute-utils'
  new_stage; ubuntu_persistenced; package "$dir" nvidia-persistenced "$v" "nvidia-modprobe (= $v), libnvidia-compute (= $v)" 'Conflicts: nvidia-compute-utils
Replaces: nvidia-compute-utils'
  new_stage; part_smi "$1"; package "$dir" nvidia-driver-cuda "$v" "libnvidia-compute (= $v), nvidia-persistenced (= $v)" 'Conflicts: nvidia-utils
Replaces: nvidia-utils'
  for flavour in -open ''; do
    meta "$dir" "nvidia-headless-no-dkms$flavour" "$v" "libnvidia-compute (= $v), nvidia-persistenced (= $v), nvidia-driver-cuda (= $v), nvidia-kernel-common (= $v)"
    meta "$dir" "nvidia-driver$flavour" "$v" "nvidia-dkms$flavour (= $v), nvidia-headless-no-dkms$flavour (= $v)"
  done
  meta "$dir" nvidia-open "$v" "nvidia-driver-open (= $v)"
  meta "$dir" cuda-drivers "$v" "nvidia-driver (= $v)"
  fabric "$1" "$1-1" "$dir"
}

# Ubuntu's unit keeps persistence mode off
ubuntu_persistenced() {
  part_persistenced
  sed -i 's:^ExecStart=.*:ExecStart=/usr/bin/nvidia-persistenced --user nvidia-persistenced --no-persistence-mode --verbose:' "$stage/lib/systemd/system/nvidia-persistenced.service"
}
