# shellcheck shell=bash
# Sourced by the steps of the image build that download Python packages.
# An absent or empty secret means: the tools' own defaults.
if [ -s /run/secrets/pip_index_url ]; then
  PIP_INDEX_URL=$(cat /run/secrets/pip_index_url)
  UV_DEFAULT_INDEX=$PIP_INDEX_URL
  export PIP_INDEX_URL UV_DEFAULT_INDEX
fi
if [ -s /run/secrets/build_ca ]; then
  export PIP_CERT=/run/secrets/build_ca SSL_CERT_FILE=/run/secrets/build_ca
fi
