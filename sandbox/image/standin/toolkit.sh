# shellcheck shell=sh
# The container toolkit's packages. Sourced by build-repository.sh after lib.sh.
toolkit() { # VERSION DIR
  v=$1-1 dir=$2
  new_stage; library libnvidia-container "$1"; package "$dir" libnvidia-container1 "$v"
  new_stage; put 755 bin/simulated usr/bin/nvidia-container-cli; package "$dir" libnvidia-container-tools "$v" "libnvidia-container1 (= $v)"
  new_stage
  put 755 bin/nvidia-ctk usr/bin/nvidia-ctk
  sed -i "s/@VERSION@/$1/" "$stage/usr/bin/nvidia-ctk"
  put 755 bin/nvidia-container-runtime usr/bin/nvidia-container-runtime
  put 755 bin/simulated usr/bin/nvidia-cdi-hook
  put 644 units/nvidia-cdi-refresh.service lib/systemd/system/nvidia-cdi-refresh.service
  put 644 units/nvidia-cdi-refresh.path lib/systemd/system/nvidia-cdi-refresh.path
  script postinst "nvidia-ctk --quiet config --config-file=/etc/nvidia-container-runtime/config.toml --in-place
$(start_units nvidia-cdi-refresh.path nvidia-cdi-refresh.service)"
  script prerm "$(stop_units nvidia-cdi-refresh.path nvidia-cdi-refresh.service)"
  package "$dir" nvidia-container-toolkit-base "$v"
  new_stage
  put 755 bin/nvidia-container-runtime-hook usr/bin/nvidia-container-runtime-hook
  put 755 bin/grant-device-majors usr/share/gpuready-standin/grant-device-majors
  package "$dir" nvidia-container-toolkit "$v" "nvidia-container-toolkit-base (= $v), libnvidia-container-tools (= $v)"
}
