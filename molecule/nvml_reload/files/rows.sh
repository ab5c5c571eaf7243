#!/bin/sh
# What happens on a host of this scenario, one step a call:
#   image                       make the image of the job
#   guard                       what opening the nodes on the host itself says
#   start NAME OPTIONS...       a container with a job
#   driver systemd|cgroupfs     start the engine with that cgroup driver; containers live on
#   links | names               /dev/char/MAJOR:MINOR for the nodes; their majors in /proc/devices, as with a driver
#   mode auto|legacy            of the stand-in runtime
#   look ROUND NAME...          ask the jobs; lines "ROUND NAME NODE ANSWER"
#   update NAME...              docker update; on v2, where the host has no cgroup controllers, what it does to the scope
#   allowed NAME                DeviceAllow of its scope
#   alive NAME...               lines "NAME ID PID STARTED"
#   reload, hit                 systemd is told to read its units again; the same, and a unit starts in the slice
set -eu
image() {
  tree=$(mktemp -d)
  mkdir "$tree/bin"
  cp /bin/busybox "$tree/bin/"
  for name in sh mkfifo mv; do ln -s busybox "$tree/bin/$name"; done
  cp /usr/local/lib/sandbox/job "$tree/job"
  tar -C "$tree" -c . | docker import - job >/dev/null
}
guard() { for node in /dev/nvidia*; do (: < "$node") 2>&1 || :; done; }
start() {
  name=$1
  shift
  docker run --detach --name "$name" --network none "$@" job /job >/dev/null
}
driver() {
  python3 - "$1" <<'PYTHON'
import json, sys
path = "/etc/docker/daemon.json"
settings = {**json.load(open(path)), "exec-opts": [f"native.cgroupdriver={sys.argv[1]}"]}
json.dump(settings, open(path, "w"))
PYTHON
  systemctl reset-failed docker
  systemctl restart docker
}
links() {
  mkdir -p /dev/char
  for node in /dev/nvidia*; do
    ln -sf "../${node#/dev/}" "/dev/char/$(stat -c '%Hr:%Lr' "$node")"
  done
}
names() {
  sed 's/^Character devices:$/&\n195 nvidia-frontend\n241 nvidia-uvm/' /proc/devices > /run/devices
  mount --bind /run/devices /proc/devices
}
mode() { sed -i "s/^mode = .*/mode = \"$1\"/" /etc/nvidia-container-runtime/config.toml; }
await() { # FILE: at most some seconds; what is not there then fails where it is used
  tries=0
  until [ -e "$1" ] || [ "$tries" -ge 500 ]; do tries=$((tries + 1)); sleep 0.02; done
}
ask() { # ROUND NAME...
  round=$1
  shift
  docker inspect --format '{{.Name}} {{.State.Pid}}' "$@" > /run/asked
  while read -r name pid; do
    await "/proc/$pid/root/ask"
    rm -f "/proc/$pid/root/seen.$round"
    echo "$round" > "/proc/$pid/root/ask"
  done < /run/asked
}
look() {
  ask "$@"
  while read -r name pid; do
    await "/proc/$pid/root/seen.$1"
    sed "s:^:$1 ${name#/} :" "/proc/$pid/root/seen.$1"
  done < /run/asked
}
scope() { echo "docker-$(docker inspect --format '{{.Id}}' "$1").scope"; }
update() {
  for name in "$@"; do
    if [ -d /sys/fs/cgroup/cpu ]; then docker update --cpus 1 "$name" >/dev/null
    else systemctl set-property --runtime "$(scope "$name")" TasksMax=1000; fi
  done
}
allowed() { systemctl show "$(scope "$1")" --property DeviceAllow; }
alive() { docker inspect --format '{{.Name}} {{.Id}} {{.State.Pid}} {{.State.StartedAt}}' "$@" | cut -c 2-; }
reload() { systemctl daemon-reload; }
hit() { systemctl daemon-reload; systemd-run --quiet --wait true; }
"$@"
