#!/bin/sh
# Stock clients against a service of our own: Python's grpcio, Node's @grpc/grpc-js and `buf curl` connect
# to its Unix socket without options, and build and run programs. `buf` lints the protocol files, too.
# The packages are installed below $VITTE_CLIENTS_DIR (default: target/clients).
#
# Usage: tests/clients/run.sh [BIN_FOLDER]
# Status 77 when an interpreter is missing or the packages cannot be installed.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
bin=${1:-$root/target/debug}
tools=${VITTE_CLIENTS_DIR:-$root/target/clients}
mkdir -p "$tools"

skip() {
    echo "skipped: $1"
    exit 77
}
for name in python3 node npm; do
    command -v "$name" >/dev/null || skip "$name is not installed"
done
if ! "$tools/py/bin/python" -c 'import grpc, grpc_reflection, grpc_health' 2>/dev/null; then
    python3 -m venv --clear "$tools/py" || skip "python3 has no working venv"
    "$tools/py/bin/pip" install -q -r "$root/tests/clients/python/requirements.txt" ||
        skip "the Python packages cannot be installed"
fi
buf=$tools/node/node_modules/.bin/buf
if [ ! -x "$buf" ]; then
    mkdir -p "$tools/node"
    cp "$root/tests/clients/node/package.json" "$tools/node/"
    (cd "$tools/node" && npm install --silent --no-audit --no-fund) || skip "the Node packages cannot be installed"
fi

work=$(mktemp -d)
export XDG_RUNTIME_DIR="$work/run" XDG_STATE_HOME="$work/state" XDG_CACHE_HOME="$work/cache" HOME="$work"
mkdir -m 700 "$work/run"
cleanup() {
    "$bin/vitte" daemon stop >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap cleanup EXIT
"$bin/vitte" daemon start >/dev/null
socket=$XDG_RUNTIME_DIR/vitte/default/vitted.sock
programs=$root/tests/programs

(cd "$root/proto" && "$buf" lint && echo "buf lint ok")
"$tools/py/bin/python" "$root/tests/clients/python/client.py" "$socket" "$programs"
NODE_PATH=$tools/node/node_modules node "$root/tests/clients/node/client.js" "$socket" "$root/proto" "$programs"
ask() {
    "$buf" curl --unix-socket "$socket" --http2-prior-knowledge --protocol grpc "$@"
}
ask http://localhost/vitte.v1.SystemService/Status | grep -q SERVICE_STATE_SERVING
# `pen 1.20` and a line end, in base 64.
ask --data "{\"start\": {\"options\": {\"entry\": \"$programs/reference/inventory.vit\"}}}" \
    http://localhost/vitte.v1.RunService/Run | grep -q '"data": *"cGVuIDEuMjAK"'
echo "buf curl $("$buf" --version 2>&1) ok"
