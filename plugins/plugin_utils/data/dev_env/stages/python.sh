#!/usr/bin/env bash
# The environment that users work in. DEV_PREFIX DEV_PYTHON_MANAGER (uv, venv or conda) DEV_PYTHON_VERSION (empty: the
# system's) DEV_ENV_NAME (in the prompt) DEV_TOOLS
# DEV_PYTHON_DIR DEV_CACHE DEV_OWNER; with conda DEV_CONDA DEV_ANACONDA_TERMS DEV_TORCH_BACKEND
set -euo pipefail
# shellcheck source=network.sh
. "$DEV_INPUTS/network.sh"

# empty where there is none, or one that does not start: what happens then is decided below
found=$("$DEV_PREFIX/bin/python" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2> /dev/null || true)
# the dot in the end: 3.1 is not 3.12
if [[ -n $found && ( -z $DEV_PYTHON_VERSION || $found. == "$DEV_PYTHON_VERSION".* ) ]]; then
  exit 0
fi
if [[ -n $found ]]; then
  # somebody's packages are in it: kept beside the new one
  echo "devenv: $DEV_PREFIX has Python $found and $DEV_PYTHON_VERSION is wanted; it is kept as $DEV_PREFIX.python-$found."
  rm -rf "$DEV_PREFIX.python-$found"
  mv "$DEV_PREFIX" "$DEV_PREFIX.python-$found"
fi
mkdir -p "$DEV_PREFIX" "$DEV_PYTHON_DIR"
if [[ -n $(ls -A "$DEV_PREFIX") && ! -e $DEV_PREFIX/pyvenv.cfg && ! -d $DEV_PREFIX/conda-meta ]]; then
  refuse "$DEV_PREFIX holds files and is no Python environment; name another directory in dev_python.prefix, or empty this one."
fi
# what a broken run left. The directory itself stays: it may be a mount
find "$DEV_PREFIX" -mindepth 1 -delete
export UV_CACHE_DIR=$DEV_CACHE/uv UV_PYTHON_INSTALL_DIR=$DEV_PYTHON_DIR UV_NO_PROGRESS=1 UV_LINK_MODE=copy
builds=$(mirror uv-python)
if [[ -n $builds ]]; then
  export UV_PYTHON_INSTALL_MIRROR=$builds
fi

with_uv() {
  if [[ -n $DEV_PYTHON_VERSION ]]; then
    "$DEV_TOOLS/bin/uv" venv --quiet --allow-existing --prompt "$DEV_ENV_NAME" --python "$DEV_PYTHON_VERSION" "$DEV_PREFIX"
  else
    "$DEV_TOOLS/bin/uv" venv --quiet --allow-existing --prompt "$DEV_ENV_NAME" --python /usr/bin/python3 --python-preference only-system "$DEV_PREFIX"
  fi
}

with_venv() {
  local python=/usr/bin/python3
  if [[ -n $DEV_PYTHON_VERSION ]]; then
    IFS=. read -r major minor _ <<< "$DEV_PYTHON_VERSION"
    python=/usr/bin/python$major.$minor
    [[ -x $python ]] || refuse "$python is missing, and venv can only use a Python of the system; leave dev_python.version empty, or use uv."
  fi
  "$python" -m venv --prompt "$DEV_ENV_NAME" "$DEV_PREFIX"
}

with_conda() {
  local channels=() alias
  mapfile -t channels < <(sed -e '/^$/d' -e 's/^/--channel=/' "$DEV_INPUTS/channels")
  alias=$(mirror conda)
  if [[ -n $alias ]]; then
    export CONDA_CHANNEL_ALIAS=$alias
  fi
  mapfile -t packages < "$DEV_INPUTS/conda-packages"
  rmdir "$DEV_PREFIX"
  # the solver must not take packages for the CPU because the machine that builds has no GPU
  if [[ $DEV_TORCH_BACKEND =~ ^cu([0-9]+)([0-9])$ ]]; then
    export CONDA_OVERRIDE_CUDA=${BASH_REMATCH[1]}.${BASH_REMATCH[2]}
  fi
  CONDA_PKGS_DIRS=$DEV_CACHE/conda CONDA_PLUGINS_AUTO_ACCEPT_TOS=${DEV_ANACONDA_TERMS:-no} \
    "$DEV_CONDA/bin/conda" create --yes --quiet --copy --override-channels "${channels[@]}" --prefix "$DEV_PREFIX" \
    "python${DEV_PYTHON_VERSION:+=$DEV_PYTHON_VERSION}" pip "${packages[@]}"
  if [[ -n $alias ]]; then
    # the mirror's address is nobody's business: records name the channel's own
    find "$DEV_PREFIX/conda-meta" -type f -exec sed -i "s|${alias%/}|https://conda.anaconda.org|g" {} +
  fi
  # for "conda activate NAME"
  ln -sfn "$DEV_PREFIX" "$DEV_CONDA/envs/$DEV_ENV_NAME"
}

"with_$DEV_PYTHON_MANAGER"
give_to_user "$DEV_PREFIX" "$DEV_PYTHON_DIR"
