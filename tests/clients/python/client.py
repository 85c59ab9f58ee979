"""Drives the service with stock grpcio: no channel options, no generated code, only reflection.

Usage: client.py SOCKET PROGRAMS_FOLDER
"""
import sys

import grpc
from google.protobuf import descriptor_pool, message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase


class Service:
    """A service found by reflection, its methods callable by name."""

    def __init__(self, channel, pool, name):
        self.channel, self.name = channel, name
        self.descriptor = pool.FindServiceByName(name)

    def request(self, method, **fields):
        return message_factory.GetMessageClass(self.descriptor.methods_by_name[method].input_type)(**fields)

    def call(self, method, request, client_streaming=False, server_streaming=False, **options):
        kind = {
            (False, False): self.channel.unary_unary,
            (False, True): self.channel.unary_stream,
            (True, True): self.channel.stream_stream,
        }[client_streaming, server_streaming]
        response = message_factory.GetMessageClass(self.descriptor.methods_by_name[method].output_type)
        stub = kind(
            f"/{self.name}/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=response.FromString,
        )
        return stub(request, timeout=60, **options)


def run(service, folder, entry, *args):
    """Builds and runs a program: its standard output, its exit code, the codes of its diagnostics."""
    first = service.request("Run")
    first.start.options.entry = entry
    first.start.options.cwd = folder
    first.start.args.extend(args)
    stdout, code, codes = b"", None, []
    for response in service.call("Run", iter([first]), client_streaming=True, server_streaming=True):
        event = response.event
        if event.HasField("program_output") and event.program_output.stream == 1:
            stdout += event.program_output.data
        elif event.HasField("program_exited"):
            code = event.program_exited.code
        elif event.HasField("diagnostic"):
            codes.append(event.diagnostic.code)
    return stdout.decode(), code, codes


def main(socket, programs):
    with grpc.insecure_channel(f"unix:{socket}") as channel:
        health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
        assert health.status == health_pb2.HealthCheckResponse.SERVING, health

        database = ProtoReflectionDescriptorDatabase(channel)
        names = set(database.get_services())
        for name in ("System", "Workspace", "Build", "Run", "Operation"):
            assert f"vitte.v1.{name}Service" in names, names
        pool = descriptor_pool.DescriptorPool(database)

        system = Service(channel, pool, "vitte.v1.SystemService")
        # Often enough for every later header block to come from the dynamic table.
        for _ in range(20):
            status = system.call("Status", system.request("Status"), metadata=[("x-caller", "python")])
            assert status.pid > 0 and status.state == 1, status
        info = system.call("Info", system.request("Info"))
        assert info.socket == socket, info

        try:
            operations = Service(channel, pool, "vitte.v1.OperationService")
            operations.call("GetOperation", operations.request("GetOperation", name="operations/999999"))
            raise AssertionError("an unknown operation was found")
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.NOT_FOUND, error
            details = dict(error.trailing_metadata())["grpc-status-details-bin"]
            assert b"UNKNOWN_RESOURCE" in details, details

        runs = Service(channel, pool, "vitte.v1.RunService")
        got = run(runs, programs, "main/arguments.vit", "one", "two words")
        assert got == ("2\n[one]\n[two words]\n", 2, []), got
        got = run(runs, programs, "reference/inventory.vit")
        assert got == ("pen 1.20\n", 0, []), got
        got = run(runs, programs, "moves/moved_twice.vit")
        assert got == ("", None, ["BOR0010"]), got


if __name__ == "__main__":
    main(*sys.argv[1:])
    print("grpcio", grpc.__version__, "ok")
