#!/usr/bin/env bash
# The account of the container, and the directories of it: the input "directories", one a line. Directories that become
# volumes exist in the image with their owner, because an empty named volume takes it over.
# DEV_USER DEV_UID DEV_GID DEV_HOME DEV_OWNER DEV_SUDO (none or nopasswd)
set -euo pipefail

# Ubuntu images since 23.04 come with a user of uid 1000
# getent ends with 2 where the number is free
owner=$(getent passwd "$DEV_UID" | cut -d: -f1 || true)
if [[ -n $owner && $owner != "$DEV_USER" ]]; then
  userdel -r "$owner" 2> /dev/null || userdel "$owner"
fi
if ! getent group "$DEV_GID" > /dev/null; then
  groupadd -g "$DEV_GID" "$DEV_USER"
fi
if ! getent passwd "$DEV_USER" > /dev/null; then
  useradd -l -m -d "$DEV_HOME" -u "$DEV_UID" -g "$DEV_GID" -s /bin/bash "$DEV_USER"
fi
# the distribution's own example would undo the settings of the environment; what users write there stays
if cmp -s /etc/skel/.bashrc "$DEV_HOME/.bashrc"; then
  echo '# Yours. It is read after the settings of the environment, and may change them.' > "$DEV_HOME/.bashrc"
fi
# no password, and yet not locked: an sshd of root without PAM refuses locked accounts
usermod -p '*' "$DEV_USER"
while read -r directory; do
  [[ -d $directory ]] || install -d "$directory"
  chown "$DEV_OWNER" "$directory"
done < "$DEV_INPUTS/directories"
if [[ $DEV_SUDO == nopasswd ]]; then
  printf '%s ALL=(ALL) NOPASSWD: ALL\n' "$DEV_USER" > /etc/sudoers.d/90-devenv
  chmod 0440 /etc/sudoers.d/90-devenv
  visudo -cqf /etc/sudoers.d/90-devenv
else
  rm -f /etc/sudoers.d/90-devenv
fi
