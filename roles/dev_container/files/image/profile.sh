# shellcheck shell=sh
# /etc/profile sets PATH anew for login shells: put the environment's programs in front again.
case ":$PATH:" in
  *:/opt/venv/bin:*) ;;
  *) PATH=/opt/venv/bin:/opt/tools/bin:/usr/local/nvidia/bin:/usr/local/cuda/bin:$PATH ;;
esac
export PATH
