#!/bin/sh
# Containers of Podman (with crun) and of containerd with the systemd driver, without Docker; the job is that of rows.sh:
#   prepare                     their image, and storage that works inside a container
#   podman NAME OPTIONS...      a container of Podman
#   containerd NAME [NODE...]   one of containerd with these device nodes; without any, by NVIDIA's hook
#   list                        lines "NAME PID START UNIT"; START is when the process began, in ticks since boot
#   look ROUND                  ask all jobs; lines "ROUND NAME NODE ANSWER"
set -eu
there=/srv/others
name_of() { printf '%s' "$1" | sha256sum | cut -c 1-64; }
prepare() {
  mkdir -p /etc/containers $there/hooks $there/rootfs $there/containerd
  cat > /etc/containers/storage.conf <<STORAGE
[storage]
driver = "vfs"
runroot = "/run/containers/storage"
graphroot = "/var/lib/containers/storage"
STORAGE
  cat > $there/hooks/nvidia.json <<HOOK
{"version": "1.0.0", "stages": ["prestart"], "when": {"always": true},
 "hook": {"path": "/usr/bin/nvidia-container-runtime-hook", "args": ["nvidia-container-runtime-hook", "prestart"]}}
HOOK
  docker export "$(docker create job /job)" | tar -x -C $there/rootfs
  tar -C $there/rootfs -c . | command podman import --quiet - job >/dev/null
}
# the host has no controllers on v2, so no limits
podman() { name=$1; shift; command podman --hooks-dir $there/hooks run --detach --name "$name" --network none \
  --pids-limit 0 --log-driver none "$@" job /job >/dev/null; }
containerd() {
  name=$1
  shift
  folder=$there/containerd/$name
  mkdir -p "$folder"
  cp -r $there/rootfs "$folder/"
  (cd "$folder" && runc spec)
  python3 - "$folder" "$(name_of "$name")" "$@" <<'PYTHON'
import json, os, sys
folder, name, *nodes = sys.argv[1:]
with open(f"{folder}/config.json") as stream:
    spec = json.load(stream)
spec["root"] = {"path": f"{folder}/rootfs", "readonly": False}
spec["process"].update(args=["/job"], terminal=False)
spec["process"]["env"].append("NVIDIA_VISIBLE_DEVICES=all")
rules = [{"allow": False, "access": "rwm"}]
linux = spec["linux"]
linux.update(cgroupsPath=f"system.slice:cri-containerd:{name}", devices=[], resources={"devices": rules})
for node in nodes:
    found = os.stat(node)
    number = {"type": "c", "major": os.major(found.st_rdev), "minor": os.minor(found.st_rdev)}
    linux["devices"].append({"path": node, "fileMode": 0o666, **number})
    rules.append({"allow": True, "access": "rwm", **number})
if not nodes:
    hook = "/usr/bin/nvidia-container-runtime-hook"
    spec["hooks"] = {"prestart": [{"path": hook, "args": [hook, "prestart"]}]}
with open(f"{folder}/config.json", "w") as stream:
    json.dump(spec, stream)
PYTHON
  ctr --namespace k8s.io run --detach --runc-systemd-cgroup --cgroup "system.slice:cri-containerd:$(name_of "$name")" \
    --config "$folder/config.json" "$(name_of "$name")"
}
pids() {
  command podman ps --no-trunc --format '{{.Names}} {{.ID}}' | while read -r name id; do
    echo "$name $(command podman inspect --format '{{.State.Pid}}' "$id") libpod-$id.scope"
  done
  for folder in "$there"/containerd/*; do
    name=${folder##*/} id=$(name_of "${folder##*/}")
    echo "$name $(ctr --namespace k8s.io task ls | awk -v id="$id" '$1 == id { print $2 }') cri-containerd-$id.scope"
  done
}
list() { pids | while read -r name pid unit; do echo "$name $pid $(awk '{ print $22 }' "/proc/$pid/stat") $unit"; done; }
await() { # FILE: at most some seconds; what is not there then fails where it is used
  tries=0
  until [ -e "$1" ] || [ "$tries" -ge 500 ]; do tries=$((tries + 1)); sleep 0.02; done
}
look() {
  pids | while read -r name pid _unit; do
    await "/proc/$pid/root/ask"
    rm -f "/proc/$pid/root/seen.$1"
    echo "$1" > "/proc/$pid/root/ask"
    await "/proc/$pid/root/seen.$1"
    sed "s:^:$1 $name :" "/proc/$pid/root/seen.$1"
  done
}
"$@"
