#!/bin/sh
# usage: THREADS=2 bench/peers/llama/measure.sh MODEL WORK.json     one JSON line a configuration
# MODEL is taken from third_party/peers-llama/models, where build.sh wrote it in several precisions.
exec python3 "$(dirname "$0")/llama.py" measure "$2"
