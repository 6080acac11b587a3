# shellcheck shell=bash
# What the examples share; each one reads this first. Gives: work (a folder that is gone at the end), testserver, say, die, at.
# Programs come from KLM_BIN, else from build/bin of this tree, else from PATH.
set -u -o pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [ -z "${KLM_BIN:-}" ] && [ -x "$root/build/bin/klmsrv" ]; then
    KLM_BIN=$root/build/bin
fi
: "${KLM_BIN:=$(dirname "$(command -v klmsrv || echo /usr/sbin/klmsrv)")}"
[ -x "$KLM_BIN/iosdrive" ] || { echo "no programs in $KLM_BIN: run make, or name their folder in KLM_BIN" >&2; exit 2; }
export KLM_BIN PATH=$KLM_BIN:$PATH
work=$(mktemp -d "${TMPDIR:-/tmp}/klm-example-XXXXXX") || exit 2

testserver() { "$root/tools/testserver" "$@"; }
say() { printf '\n== %s\n' "$*"; }
die() { echo "FAILED: $*" >&2; exit 1; }

# at SERVER COMMAND...: with the environment of that test server (its operator socket, configuration, drive).
at() {
    # shellcheck disable=SC1091
    (. "$1/env" && "${@:2}")
}

# Commands that only report when they fail.
quietly() { "$@" >"$work/said" 2>&1 || { cat "$work/said" >&2; die "$*"; }; }

finish() {
    local server
    for server in "$work"/*/run; do
        [ -d "$server" ] && testserver stop "${server%/run}"
    done
    rm -rf "$work"
}
trap finish EXIT
