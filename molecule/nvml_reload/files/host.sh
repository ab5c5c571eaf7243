#!/bin/sh
# host.sh MTU: what a host of this scenario has before its engine comes: device nodes without a driver behind them, the
# stand-in toolkit (the engine looks for the hook when it starts), a specification by hand, the daemon's settings.
set -eu
node() { [ -c "/dev/$1" ] || mknod -m 666 "/dev/$1" c "$2" "$3"; }
node nvidiactl 195 255
node nvidia0 195 0
node nvidia-uvm 241 0
node nvidia-uvm-tools 241 1

# straight from the sandbox's repository, without apt's lists
version=1.20.0-1
cd /srv/repository/stable/deb/*/
dpkg --install libnvidia-container1_"$version"_*.deb libnvidia-container-tools_"$version"_*.deb \
  nvidia-container-toolkit-base_"$version"_*.deb nvidia-container-toolkit_"$version"_*.deb

mkdir -p /etc/cdi /etc/docker
cat > /etc/cdi/nvidia.yaml <<SPECIFICATION
cdiVersion: 0.5.0
kind: nvidia.com/gpu
devices:
  - name: all
    containerEdits:
      deviceNodes: [{path: /dev/nvidia0}]
containerEdits:
  deviceNodes: [{path: /dev/nvidiactl}, {path: /dev/nvidia-uvm}, {path: /dev/nvidia-uvm-tools}]
SPECIFICATION
# live-restore: containers live on when the engine is started with another cgroup driver
cat > /etc/docker/daemon.json <<SETTINGS
{
  "features": {"cdi": true},
  "live-restore": true,
  "mtu": $1,
  "runtimes": {"nvidia": {"path": "/usr/bin/nvidia-container-runtime", "runtimeArgs": []}}
}
SETTINGS
