# shellcheck shell=sh
# /etc/profile sets PATH anew for login shells: put the environment's programs in front again.
case ":$PATH:" in
  *:@DEV_PREFIX@/bin:*) ;;
  *) PATH=@SESSION_PATH@:$PATH ;;
esac
export PATH
@SESSION_FILE@
# bash only, and only where somebody types
if [ -n "${BASH_VERSION:-}" ] && [ -r @DEV_ETC@/bashrc ]; then
  . @DEV_ETC@/bashrc
fi
