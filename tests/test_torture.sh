#!/bin/sh
# A sample of what `make torture` does: every kind of fault at a few places of a whole tiny run, the resume, and the
# bytes. CHORUS: the program, SRC: the source tree.
set -u
POINTS="kill=25 tear=6 eio=15 enospc=8 full=8 reading=12 alloc=20 library=8 term=6 stop=4 fresh=8 other=4 two=6 \
    report=4 report-eio=4 report-alloc=4" exec "${SRC:-.}/scripts/torture.sh"
