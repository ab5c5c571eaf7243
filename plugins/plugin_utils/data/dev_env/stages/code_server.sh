#!/usr/bin/env bash
# code-server by the sum of its archive: the input "downloads"; extensions: the input "extensions", lines "ID" or
# "ID@VERSION". They lie outside of the home directory, whose volume would hide those of a new image.
# DEV_CODE_SERVER DEV_CODE_SERVER_VERSION DEV_EXTENSIONS DEV_BIN DEV_OWNER
set -euo pipefail
# shellcheck source=network.sh
. "$DEV_INPUTS/network.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [[ $(cat "$DEV_CODE_SERVER/.devenv-version" 2> /dev/null) != "$DEV_CODE_SERVER_VERSION" ]]; then
  fetch code-server.tar.gz "$work"
  rm -rf "$DEV_CODE_SERVER.new"
  mkdir -p "$DEV_CODE_SERVER.new"
  tar -xzf "$work/code-server.tar.gz" -C "$DEV_CODE_SERVER.new" --strip-components=1 --no-same-owner
  echo "$DEV_CODE_SERVER_VERSION" > "$DEV_CODE_SERVER.new/.devenv-version"
  rm -rf "$DEV_CODE_SERVER"
  mv "$DEV_CODE_SERVER.new" "$DEV_CODE_SERVER"
fi
mkdir -p "$DEV_BIN" "$DEV_EXTENSIONS"
ln -sfn "$DEV_CODE_SERVER/bin/code-server" "$DEV_BIN/code-server"
"$DEV_BIN/code-server" --user-data-dir "$work/data" --version
gallery=$(mirror open-vsx)
if [[ -n $gallery ]]; then
  EXTENSIONS_GALLERY=$(printf '{"serviceUrl": "%s/vscode/gallery", "itemUrl": "%s/vscode/item"}' "${gallery%/}" "${gallery%/}")
  export EXTENSIONS_GALLERY
fi
while read -r extension; do
  "$DEV_BIN/code-server" --user-data-dir "$work/data" --extensions-dir "$DEV_EXTENSIONS" --install-extension "$extension" < /dev/null \
    || refuse "the extension $extension could not be installed; look for it, and for its versions, at open-vsx.org."
done < "$DEV_INPUTS/extensions"
give_to_user "$DEV_EXTENSIONS"
