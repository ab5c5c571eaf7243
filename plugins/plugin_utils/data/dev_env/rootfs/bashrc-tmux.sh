# shellcheck shell=bash
# An environment that was activated outside is not active in a session that was there before
if [ -n "${SSH_CONNECTION:-}" ] && [ -z "${TMUX:-}" ] && [ -z "${VSCODE_IPC_HOOK_CLI:-}" ] && command -v tmux > /dev/null; then
  echo 'Long jobs: "tmux new -A -s main" first, then activate environments in it; it outlives a lost connection.'
fi
