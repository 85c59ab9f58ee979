"""The stock Python client (grpcio) on the service's Unix socket, with no channel options.

python_client.py SOCKET ROOT; needs grpcio and grpcio-tools.
"""

import importlib
import pathlib
import sys
import tempfile

import grpc
from grpc_tools import protoc

SECONDS = 120


def load_protos(root):
    """Generates the message and service modules of vitte.v1 and imports what is used."""
    out = tempfile.mkdtemp(prefix="vitte-protos")
    protos = root / "proto"
    files = [str(path) for path in sorted((protos / "vitte/v1").glob("*.proto"))]
    include = pathlib.Path(protoc.__file__).parent / "_proto"
    status = protoc.main(
        ["protoc", f"-I{protos}", f"-I{include}", f"--python_out={out}", f"--grpc_python_out={out}", *files]
    )
    if status != 0:
        sys.exit("the protos do not compile")
    sys.path.insert(0, out)
    return {name: importlib.import_module(f"vitte.v1.{name}") for name in (
        "build_pb2", "build_pb2_grpc", "event_pb2", "run_pb2", "run_pb2_grpc", "system_pb2", "system_pb2_grpc")}


def run(protos, channel, root, entry, args):
    """Runs a program; gives its standard output, its exit code and the codes of its diagnostics."""
    start = protos["run_pb2"].RunStart(
        options=protos["build_pb2"].BuildOptions(entry=entry, cwd=str(root)), args=args, cwd=str(root)
    )
    requests = iter([protos["run_pb2"].RunRequest(start=start)])
    output, code, diagnostics = b"", None, []
    for response in protos["run_pb2_grpc"].RunServiceStub(channel).Run(requests, timeout=SECONDS):
        kind = response.event.WhichOneof("kind")
        if kind == "program_output":
            written = response.event.program_output
            if written.stream == protos["event_pb2"].OUTPUT_STREAM_STDOUT:
                output += written.data
        elif kind == "program_exited":
            code = response.event.program_exited.code
        elif kind == "diagnostic":
            diagnostics.append(response.event.diagnostic.code)
    return output.decode(), code, diagnostics


def main():
    socket, root = sys.argv[1], pathlib.Path(sys.argv[2])
    protos = load_protos(root)
    with grpc.insecure_channel(f"unix:{socket}") as channel:
        status = protos["system_pb2_grpc"].SystemServiceStub(channel).Status(
            protos["system_pb2"].StatusRequest(), timeout=SECONDS
        )
        assert status.state == protos["system_pb2"].SERVICE_STATE_SERVING, status
        got = run(protos, channel, root, "tests/programs/main/arguments.vit", ["one", "two words"])
        assert got == ("2\n[one]\n[two words]\n", 2, []), got
        got = run(protos, channel, root, "tests/programs/reference/inventory.vit", [])
        assert got == ("pen 1.20\n", 0, []), got
        output, code, diagnostics = run(protos, channel, root, "tests/programs/moves/moved_twice.vit", [])
        assert (output, code, diagnostics) == ("", None, ["BOR0010"]), (output, code, diagnostics)
    print("grpcio", grpc.__version__, "ran three programs")


main()
