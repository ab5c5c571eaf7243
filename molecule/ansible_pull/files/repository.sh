#!/bin/sh
# repository.sh PROJECT ARCHIVE: a tar archive of git/bootstrap.git, a bare repository with one commit of the files that git
# knows or would take, as they are now, and the tag v0.0.0-test of it.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export GIT_AUTHOR_NAME=test GIT_AUTHOR_EMAIL=test@example.org GIT_COMMITTER_NAME=test GIT_COMMITTER_EMAIL=test@example.org
mkdir -p "$work/tree" "$work/git" "$(dirname "$2")"
cd "$1"
git ls-files -z --cached --others --exclude-standard --deduplicate > "$work/files"
# one that is deleted here, but not yet for git, is passed over
tar --null -T "$work/files" --ignore-failed-read -cf - 2>/dev/null | tar -xf - -C "$work/tree"
cd "$work/tree"
git init -q -b main
git add -A
git commit -q -m "The project as it is"
git tag v0.0.0-test
git clone -q --bare "$work/tree" "$work/git/bootstrap.git"
tar -czf "$2" -C "$work" git
