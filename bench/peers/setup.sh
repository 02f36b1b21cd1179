#!/bin/sh
# The Python side of `make bench-peers`: third_party/peers-venv with pinned packages, and tcmalloc,
# which PyTorch's own tuning guide advises on CPUs (it saves a quarter of an update's time here).
# Nothing is done when all is there.
#   usage: bench/peers/setup.sh       PYTHON=python3.11  another interpreter
#                                     PIP_EXTRA_INDEX_URL=URL  one that has torch without CUDA
set -eu
cd "$(dirname "$0")/../.."

venv=third_party/peers-venv
packages='torch==2.15.0 transformers==5.24.0 numpy==2.4.6 gguf==0.19.0 matplotlib==3.11.2'

scripts/apt.sh g++ python3-venv libtcmalloc-minimal4
[ "$(cat $venv/stamp 2>/dev/null)" != "$packages" ] || exit 0

echo "peers: installing into $venv: $packages"
[ -x $venv/bin/python ] || "${PYTHON:-python3}" -m venv $venv
pip() { $venv/bin/python -m pip -q --disable-pip-version-check "$@"; }
# shellcheck disable=SC2086 # a list of words
set -- $packages
pip install "$1+cpu" 2>/dev/null || pip install "$1" # without CUDA it is 200 MB, else 3 GB
pip install "$@"
echo "$packages" >$venv/stamp
