#!/bin/sh
# Installs the named Debian or Ubuntu packages that are missing, and says so first; when none is
# missing it does nothing and needs neither root nor network. Elsewhere it only lists them.
#   usage: scripts/apt.sh PACKAGE...
set -eu

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "deps: not a Debian-like system; chorus needs what these packages hold: $*" >&2
    exit 0
fi

missing=
for p in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

sudo=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null 2>&1 || {
        echo "deps: missing packages; as root, run: apt-get install$missing" >&2
        exit 1
    }
    sudo=sudo
fi
echo "deps: installing with apt-get:$missing"
apt() { $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@"; }
apt update
# shellcheck disable=SC2086 # a list of words
apt install -y --no-install-recommends $missing >/dev/null
