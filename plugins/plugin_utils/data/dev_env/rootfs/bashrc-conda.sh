# shellcheck shell=bash
# "conda activate"; nothing is activated by itself
if [ -r @DEV_CONDA@/etc/profile.d/conda.sh ]; then
  . @DEV_CONDA@/etc/profile.d/conda.sh
fi
