// Drives the service with stock @grpc/grpc-js and proto-loader, without channel options.
//
// Usage: node client.js SOCKET PROTO_FOLDER PROGRAMS_FOLDER
const assert = require("node:assert");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const [socket, protos, programs] = process.argv.slice(2);
const files = ["system", "run", "operation"].map((name) => `vitte/v1/${name}.proto`);
const definition = loader.loadSync(files, { includeDirs: [protos], keepCase: true, longs: Number, enums: String, oneofs: true });
const { vitte } = grpc.loadPackageDefinition(definition);
const target = `unix:${socket}`;
const credentials = grpc.credentials.createInsecure();
const unary = (client, method, request) =>
  new Promise((resolve, reject) =>
    client[method](request, { deadline: Date.now() + 60_000 }, (error, reply) => (error ? reject(error) : resolve(reply))),
  );

// Builds and runs a program: its standard output, its exit code, the codes of its diagnostics.
function run(client, entry, args) {
  return new Promise((resolve, reject) => {
    const call = client.Run({ deadline: Date.now() + 60_000 });
    const pieces = [];
    const result = { stdout: "", code: undefined, diagnostics: [] };
    call.on("data", ({ event }) => {
      if (event.kind === "program_output" && event.program_output.stream === "OUTPUT_STREAM_STDOUT") {
        pieces.push(event.program_output.data);
      } else if (event.kind === "program_exited") {
        result.code = event.program_exited.code;
      } else if (event.kind === "diagnostic") {
        result.diagnostics.push(event.diagnostic.code);
      }
    });
    call.on("error", reject);
    call.on("end", () => resolve({ ...result, stdout: Buffer.concat(pieces).toString() }));
    call.write({ start: { options: { entry, cwd: programs }, args } });
    call.end();
  });
}

async function main() {
  const system = new vitte.v1.SystemService(target, credentials);
  for (let i = 0; i < 20; i += 1) {
    const status = await unary(system, "Status", {});
    assert.strictEqual(status.state, "SERVICE_STATE_SERVING");
  }
  assert.strictEqual((await unary(system, "Info", {})).socket, socket);

  const operations = new vitte.v1.OperationService(target, credentials);
  await assert.rejects(unary(operations, "GetOperation", { name: "operations/999999" }), { code: grpc.status.NOT_FOUND });

  const runs = new vitte.v1.RunService(target, credentials);
  assert.deepStrictEqual(await run(runs, "main/arguments.vit", ["one", "two words"]), {
    stdout: "2\n[one]\n[two words]\n",
    code: 2,
    diagnostics: [],
  });
  assert.deepStrictEqual(await run(runs, "reference/inventory.vit", []), {
    stdout: "pen 1.20\n",
    code: 0,
    diagnostics: [],
  });
  assert.deepStrictEqual(await run(runs, "moves/moved_twice.vit", []), {
    stdout: "",
    code: undefined,
    diagnostics: ["BOR0010"],
  });
  runs.close();
  system.close();
  operations.close();
}

main().then(
  () => console.log(`grpc-js ${require("@grpc/grpc-js/package.json").version} ok`),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
