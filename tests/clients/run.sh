#!/bin/sh
# Connects stock clients (Python grpcio, Node grpc-js, buf curl) to a service of our own and lints the
# protocol files. The packages are installed below $VITTE_CLIENTS_DIR (default: target/clients).
#
# Usage: tests/clients/run.sh [BIN_FOLDER]
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
bin=${1:-$root/target/debug}
tools=${VITTE_CLIENTS_DIR:-$root/target/clients}
mkdir -p "$tools"

if [ ! -x "$tools/py/bin/python" ]; then
    python3 -m venv "$tools/py"
    "$tools/py/bin/pip" install -q -r "$root/tests/clients/python/requirements.txt"
fi
if [ ! -d "$tools/node/node_modules/@grpc/grpc-js" ]; then
    mkdir -p "$tools/node"
    cp "$root/tests/clients/node/package.json" "$tools/node/"
    (cd "$tools/node" && npm install --silent --no-audit --no-fund)
fi
buf=$tools/node/node_modules/.bin/buf

work=$(mktemp -d)
export XDG_RUNTIME_DIR="$work/run" XDG_STATE_HOME="$work/state" HOME="$work"
mkdir -m 700 "$work/run"
cleanup() {
    "$bin/vitte" daemon stop >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap cleanup EXIT
printf 'proc main() -> int {\n    println("hello")\n    give 0\n}\n' >"$work/hello.vit"
"$bin/vitte" daemon start >/dev/null
socket=$XDG_RUNTIME_DIR/vitte/default/vitted.sock
# Without a compiler that can build it, set VITTE_CLIENTS_CONNECT_ONLY: then no program is run.
expected='hello
'
set -- "$expected"
[ -z "${VITTE_CLIENTS_CONNECT_ONLY:-}" ] || set --

(cd "$root/proto" && "$buf" lint && echo "buf lint: ok")
"$tools/py/bin/python" "$root/tests/clients/python/client.py" "$socket" "$work/hello.vit" "$@"
NODE_PATH=$tools/node/node_modules node "$root/tests/clients/node/client.js" "$socket" "$root/proto" "$work/hello.vit" "$@"
"$buf" curl --unix-socket "$socket" --http2-prior-knowledge --protocol grpc \
    http://localhost/vitte.v1.SystemService/Status | grep -q SERVICE_STATE_SERVING
if [ $# -gt 0 ]; then
    "$buf" curl --unix-socket "$socket" --http2-prior-knowledge --protocol grpc \
        --data "{\"start\": {\"options\": {\"entry\": \"$work/hello.vit\"}}}" \
        http://localhost/vitte.v1.RunService/Run | grep -q '"data": *"aGVsbG8K"'
fi
echo "buf curl: ok"
