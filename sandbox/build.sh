#!/bin/sh
# build.sh [SUITE[-VARIANT]]: makes the sandbox host image (Debian SUITE: trixie or bookworm) and what it needs beside it, in
# .sandbox/. The base comes from an image registry where one answers, else from the Debian mirror that this machine itself
# uses (mmdebstrap). VARIANT, a folder of variants/, is one more image on top of it: a host of another identity.
# Results are kept by content: a second call does nothing.
set -eu
wanted=${1:-trixie}
suite=${wanted%%-*}
variant=${wanted#"$suite"}
variant=${variant#-}
here=$(cd "$(dirname "$0")" && pwd)
state=${SANDBOX_STATE:-$here/../.sandbox}
base=gpuready-sandbox/base:$suite
mkdir -p "$state/images" "$state/ssh"
state=$(cd "$state" && pwd)

say() { printf '>> %s\n' "$*"; }
die() { printf 'ERROR: %s\n' "$*" >&2; exit 1; }
[ -z "$variant" ] || [ -f "$here/variants/$variant/Dockerfile" ] || die "no variant named '$variant' of the sandbox host; there are: $(ls "$here/variants")."
have_image() { docker image inspect "$1" >/dev/null 2>&1; }

# The archive of this machine's own sources (never a default of ours)
archive() {
  if [ -n "${SANDBOX_DEBIAN_ARCHIVE:-}" ]; then echo "$SANDBOX_DEBIAN_ARCHIVE"; return; fi
  apt-get indextargets --format "\$(REPO_URI)" 'Created-By: Packages' 'Component: main' 2>/dev/null |
    grep -v -e security -e '/ubuntu' | grep -m 1 'debian/*$'
}

bootstrap_base() {
  url=$(archive) || die "no Debian archive found in this machine's apt sources. Set SANDBOX_DEBIAN_ARCHIVE to one."
  if ! command -v mmdebstrap >/dev/null 2>&1; then
    [ "$(id -u)" = 0 ] || die "no image registry answers and mmdebstrap is missing. Install mmdebstrap, or run as root."
    say "installing mmdebstrap (waits for the package mirror)"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mmdebstrap debian-archive-keyring >/dev/null
  fi
  say "no image registry answers: making a Debian $suite base with mmdebstrap (downloads about 40 MB, half a minute or two)"
  mmdebstrap --quiet --variant=minbase \
    --aptopt='Acquire::Languages "none"' --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Check-Date "false"' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --include=ca-certificates --customize-hook="rm -rf \"\$1\"/var/lib/apt/lists/*" \
    "$suite" "$state/images/rootfs-$suite.tar" "deb $url $suite main contrib non-free non-free-firmware"
  docker import -c 'ENV LANG=C.UTF-8' -c 'CMD ["bash"]' "$state/images/rootfs-$suite.tar" "$base" >/dev/null
  rm -f "$state/images/rootfs-$suite.tar"
}

make_base() {
  if have_image "$base"; then return; fi
  say "asking the image registry for debian:$suite (at most a minute)"
  if timeout 60 docker pull -q "debian:$suite" >/dev/null 2>&1; then
    docker tag "debian:$suite" "$base"
  else
    bootstrap_base
  fi
}

# The build context: the committed files, this machine's extra certificate authorities, the archive's address
make_context() {
  context=$(mktemp -d)
  cp -R "$here/image/." "$context"
  mkdir -p "$context/ca-certificates" "$context/rootfs/etc/gpuready"
  find /usr/local/share/ca-certificates -name '*.crt' -exec cp {} "$context/ca-certificates/" \; 2>/dev/null || say "no extra certificate authorities here"
  touch "$context/ca-certificates/.keep"
  docker run --rm --entrypoint sh "$base" -c \
    "sed -n 's/^URIs: *//p; s/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\).*/\2/p' /etc/apt/sources.list /etc/apt/sources.list.d/*.sources 2>/dev/null | head -n 1" \
    > "$context/rootfs/etc/gpuready/sandbox-archive"
}

# build IMAGE WHAT [BUILD-ARGUMENTS]: from the context, and say how long it took
build() {
  image=$1 what=$2
  shift 2
  if have_image "$image"; then return; fi
  say "building the $what $image"
  begin=$(date +%s)
  DOCKER_BUILDKIT=0 docker build --quiet "$@" -t "$image" "$context" >/dev/null
  say "built in $(($(date +%s) - begin)) s"
}
digest() { # WHAT IT IS BUILT FROM
  { (cd "$context" && find . -type f | LC_ALL=C sort | xargs sha256sum); docker image inspect -f '{{.Id}}' "$@"; } | sha256sum | cut -c1-12
}
# What an inventory reads of an image, under the name it was asked for by
publish() { # NAME IMAGE
  echo "$2" > "$state/image-$1"
  docker run --rm --entrypoint cat "$2" /srv/repository/fingerprint > "$state/repository-fingerprint-$1"
}

make_base
make_context
trap 'rm -rf "$context"' EXIT
host=gpuready-sandbox/host:$suite-$(digest "$base")
build "$host" "sandbox host image (downloads about 60 MB of Debian packages, one to three minutes)" --build-arg "BASE=$base"
if [ ! -s "$state/images/base-$suite.tar" ] || [ "$(cat "$state/images/base-$suite.id" 2>/dev/null)" != "$(docker image inspect -f '{{.Id}}' "$base")" ]; then
  say "saving the base image for the dev container inside the sandbox"
  docker save -o "$state/images/base-$suite.tar" "$base"
  docker image inspect -f '{{.Id}}' "$base" > "$state/images/base-$suite.id"
fi
publish "$suite" "$host"
image=$host
if [ -n "$variant" ]; then
  cp -R "$here/variants/$variant/." "$context"
  host_variant=gpuready-sandbox/host:$wanted-$(digest "$base" "$host")
  build "$host_variant" "variant $variant of it (downloads less than 10 MB of Debian packages, under a minute)" --build-arg "BASE=$base" --build-arg "HOST=$host"
  image=$host_variant
  publish "$wanted" "$image"
fi
[ -s "$state/id_ed25519" ] || ssh-keygen -q -t ed25519 -N '' -C gpuready-sandbox -f "$state/id_ed25519"
# What hosts must inherit from this machine's network
printf '{"mtu": %s, "pip_index_url": "%s"}\n' "$("$here/machine.sh" mtu)" "$("$here/machine.sh" pip-index)" > "$state/machine.json"
say "sandbox host image ready: $image"
