# shellcheck shell=bash
# For shells in which somebody types. The user's own ~/.bashrc comes after it and may change all of this.
case $- in *i*) ;; *) return 0 ;; esac
[ -z "${DEVENV_BASHRC:-}" ] || return 0
DEVENV_BASHRC=1

shopt -s histappend checkwinsize
HISTCONTROL=ignoreboth
HISTSIZE=10000
HISTFILESIZE=20000

if command -v dircolors > /dev/null; then
  eval "$(dircolors -b)"
  alias ls='ls --color=auto' grep='grep --color=auto'
fi
alias ll='ls -alF' la='ls -A' l='ls -CF'
case ${TERM:-dumb} in
  dumb) ;;
  *) PS1='\[\e[1;32m\]\u@\h\[\e[0m\]:\[\e[1;34m\]\w\[\e[0m\]\$ ' ;;
esac
if [ -s "$HOME/.local/state/devenv/missing.txt" ]; then
  echo "Some packages of the last container could not be put back: see ~/.local/state/devenv/missing.txt, and try 'devenv-packages restore'."
fi
