#!/usr/bin/env bash
# A pinned toolchain by a pinned rustup-init: the input "downloads". Users add to it with their own ~/.cargo.
# DEV_RUST DEV_RUST_TOOLCHAIN DEV_OWNER
set -euo pipefail
# shellcheck source=network.sh
. "$DEV_INPUTS/network.sh"

export RUSTUP_HOME=$DEV_RUST/rustup CARGO_HOME=$DEV_RUST/cargo
if "$CARGO_HOME/bin/rustup" run "$DEV_RUST_TOOLCHAIN" rustc --version 2> /dev/null; then
  exit 0
fi
site=$(mirror rustup)
if [[ -n $site ]]; then
  export RUSTUP_DIST_SERVER=$site RUSTUP_UPDATE_ROOT=${site%/}/rustup
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fetch rustup-init "$work"
chmod 0755 "$work/rustup-init"
"$work/rustup-init" -y --no-modify-path --no-update-default-toolchain --profile minimal --default-toolchain none
"$CARGO_HOME/bin/rustup" toolchain install "$DEV_RUST_TOOLCHAIN" --profile minimal --component rustfmt --component clippy --no-self-update
"$CARGO_HOME/bin/rustup" default "$DEV_RUST_TOOLCHAIN"
"$CARGO_HOME/bin/cargo" --version
give_to_user "$DEV_RUST"
