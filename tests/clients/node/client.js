// Drives the service with stock @grpc/grpc-js and proto-loader, without channel options.
//
// Usage: node client.js SOCKET PROTO_FOLDER PROGRAM.vit [EXPECTED_OUTPUT]
const assert = require("node:assert");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const [socket, protos, program, expected] = process.argv.slice(2);
const files = ["system", "run", "operation"].map((name) => `vitte/v1/${name}.proto`);
const definition = loader.loadSync(files, { includeDirs: [protos], keepCase: true, longs: Number, enums: String, oneofs: true });
const { vitte } = grpc.loadPackageDefinition(definition);
const target = `unix:${socket}`;
const credentials = grpc.credentials.createInsecure();
const unary = (client, method, request) =>
  new Promise((resolve, reject) =>
    client[method](request, { deadline: Date.now() + 60_000 }, (error, reply) => (error ? reject(error) : resolve(reply))),
  );

async function main() {
  const system = new vitte.v1.SystemService(target, credentials);
  for (let i = 0; i < 20; i += 1) {
    const status = await unary(system, "Status", {});
    assert.strictEqual(status.state, "SERVICE_STATE_SERVING");
  }
  assert.strictEqual((await unary(system, "Info", {})).socket, socket);

  const operations = new vitte.v1.OperationService(target, credentials);
  await assert.rejects(unary(operations, "GetOperation", { name: "operations/999999" }), { code: grpc.status.NOT_FOUND });

  if (expected !== undefined) {
    const run = new vitte.v1.RunService(target, credentials);
    const call = run.Run({ deadline: Date.now() + 60_000 });
    let stdout = "";
    let exited;
    call.on("data", ({ event }) => {
      if (event.kind === "program_output" && event.program_output.stream === "OUTPUT_STREAM_STDOUT") {
        stdout += event.program_output.data.toString();
      }
      if (event.kind === "program_exited") exited = event.program_exited;
    });
    call.write({ start: { options: { entry: program } } });
    await new Promise((resolve, reject) => call.on("end", resolve).on("error", reject));
    call.end();
    assert.strictEqual(exited?.code, 0);
    assert.strictEqual(stdout, expected);
    run.close();
  }
  system.close();
  operations.close();
}

main().then(
  () => console.log("node: ok"),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
