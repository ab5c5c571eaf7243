# shellcheck shell=sh
# The files of the driver's parts, under whatever package name a repository gives them. Sourced after lib.sh; each adds to
# $stage, and scripts that more than one part needs are joined by the caller.
part_smi() { # VERSION
  put 755 bin/nvidia-smi usr/bin/nvidia-smi
  put 644 nvidia-smi-q-x.xml usr/share/gpuready-standin/nvidia-smi-q-x.xml
  sed -i "s/@DRIVER@/$1/" "$stage/usr/share/gpuready-standin/nvidia-smi-q-x.xml"
}
part_persistenced() {
  put 755 bin/nvidia-persistenced usr/bin/nvidia-persistenced
  put 644 units/nvidia-persistenced.service lib/systemd/system/nvidia-persistenced.service
  script postinst "$(start_units nvidia-persistenced.service)"
  script prerm "$(stop_units nvidia-persistenced.service)"
}
part_modprobe() { put 755 bin/nvidia-modprobe usr/bin/nvidia-modprobe; }
part_fabricmanager() { # VERSION
  put 755 bin/nv-fabricmanager usr/bin/nv-fabricmanager
  put 755 bin/nvidia-fabricmanager-start.sh usr/bin/nvidia-fabricmanager-start.sh
  sed -i "s/@VERSION@/$1/" "$stage/usr/bin/nv-fabricmanager"
  put 644 units/nvidia-fabricmanager.service lib/systemd/system/nvidia-fabricmanager.service
  printf 'LOG_LEVEL=4\nDAEMONIZE=1\n' | text usr/share/nvidia/nvswitch/fabricmanager.cfg
  # NVIDIA's package neither enables nor starts it
  script postinst "[ ! -d /run/systemd/system ] || systemctl daemon-reload"
  script prerm "$(stop_units nvidia-fabricmanager.service)"
}
part_library() { library "$1" "$2"; script postinst ldconfig; } # NAME VERSION
part_pinning() { # BRANCH-OR-VERSION
  printf 'Package: src:*nvidia*:any src:cuda-drivers:any nvidia-* libnvidia-* libcuda1 libnvsdm cuda-drivers*\nPin: version %s.*\nPin-Priority: 1000\n' "$1" |
    text "etc/apt/preferences.d/nvidia-driver-pinning-$1"
}
pinning() { # DIR BRANCH-OR-VERSION
  [ ! -e "$1/nvidia-driver-pinning-$2_$2-1_$arch.deb" ] || return 0
  new_stage; part_pinning "$2"
  package "$1" "nvidia-driver-pinning-$2" "$2-1" '' 'Provides: nvidia-driver-pinning
Conflicts: nvidia-driver-pinning
Replaces: nvidia-driver-pinning'
}
