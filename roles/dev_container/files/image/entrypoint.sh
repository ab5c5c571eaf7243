#!/usr/bin/env bash
# First process of the dev container (under tini), as the unprivileged user.
set -euo pipefail

refuse() {
  echo "devenv: $*" >&2
  exit 78 # EX_CONFIG
}

# jupyter_server does not strip the file, and takes an empty one as "no authentication".
token_file=${JUPYTER_TOKEN_FILE:-}
[ -n "$token_file" ] || refuse "JUPYTER_TOKEN_FILE is not set"
[ -r "$token_file" ] || refuse "token file $token_file is missing or not readable for uid $(id -u)"
token=$(cat "$token_file")
[ "${#token}" -ge 24 ] || refuse "token file $token_file is empty or shorter than 24 characters"
[ "$(wc -c < "$token_file")" -eq "${#token}" ] || refuse "token file $token_file ends with a newline"
unset token

# In a volume, so that clients do not see another host key after the container was recreated.
host_key=/var/lib/devenv/ssh/ssh_host_ed25519_key
[ -s "$host_key" ] || ssh-keygen -q -t ed25519 -N '' -C "$(hostname)" -f "$host_key"

# sshd gives its sessions a fresh environment. It honours one SetEnv line only, so all pairs go on one.
# By name: nothing gets into a session that nobody named (JUPYTER_TOKEN_FILE stays out).
declare -A seen=()
line=
for name in PATH VIRTUAL_ENV LANG TZ PYTHONUNBUFFERED UV_LINK_MODE UV_PYTHON_INSTALL_DIR \
  CUDA_VERSION LD_LIBRARY_PATH NVIDIA_VISIBLE_DEVICES ${DEVENV_SSH_ENV:-}; do
  if [ -z "${!name+set}" ] || [ -n "${seen[$name]:-}" ]; then continue; fi
  seen[$name]=1
  value=${!name}
  value=${value//\\/\\\\}
  line+=" \"$name=${value//\"/\\\"}\""
done
(umask 077 && echo "SetEnv$line" > /run/devenv/sshd_env.conf)

exec "$@"
