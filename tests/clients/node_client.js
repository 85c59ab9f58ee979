// The stock Node client (@grpc/grpc-js) on the service's Unix socket, with no channel options.
// node_client.js SOCKET ROOT; needs @grpc/grpc-js and @grpc/proto-loader.
"use strict";

const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const [socket, root] = process.argv.slice(2);
const folder = path.join(root, "proto");
const files = fs
  .readdirSync(path.join(folder, "vitte/v1"))
  .filter((name) => name.endsWith(".proto"))
  .map((name) => path.join("vitte/v1", name));
const definition = loader.loadSync(files, { includeDirs: [folder], keepCase: true, enums: String, oneofs: true });
const { v1 } = grpc.loadPackageDefinition(definition).vitte;
const address = `unix:${socket}`;
const credentials = grpc.credentials.createInsecure();
const deadline = () => Date.now() + 120_000;

function status() {
  return new Promise((resolve, reject) => {
    const client = new v1.SystemService(address, credentials);
    client.Status({}, { deadline: deadline() }, (error, answer) => {
      client.close();
      if (error) reject(error);
      else resolve(answer);
    });
  });
}

// Runs a program; gives its standard output, its exit code and the codes of its diagnostics.
function run(entry, args) {
  return new Promise((resolve, reject) => {
    const client = new v1.RunService(address, credentials);
    const call = client.Run({ deadline: deadline() });
    const result = { output: "", code: null, diagnostics: [] };
    const parts = [];
    call.on("data", ({ event }) => {
      if (event.kind === "program_output" && event.program_output.stream === "OUTPUT_STREAM_STDOUT") {
        parts.push(event.program_output.data);
      } else if (event.kind === "program_exited") {
        result.code = event.program_exited.code;
      } else if (event.kind === "diagnostic") {
        result.diagnostics.push(event.diagnostic.code);
      }
    });
    call.on("error", (error) => {
      client.close();
      reject(error);
    });
    call.on("end", () => {
      client.close();
      result.output = Buffer.concat(parts).toString();
      resolve(result);
    });
    call.write({ start: { options: { entry, cwd: root }, args, cwd: root } });
    call.end();
  });
}

async function main() {
  assert.strictEqual((await status()).state, "SERVICE_STATE_SERVING");
  assert.deepStrictEqual(await run("tests/programs/main/arguments.vit", ["one", "two words"]), {
    output: "2\n[one]\n[two words]\n",
    code: 2,
    diagnostics: [],
  });
  assert.deepStrictEqual(await run("tests/programs/reference/inventory.vit", []), {
    output: "pen 1.20\n",
    code: 0,
    diagnostics: [],
  });
  assert.deepStrictEqual(await run("tests/programs/moves/moved_twice.vit", []), {
    output: "",
    code: null,
    diagnostics: ["BOR0010"],
  });
  console.log("grpc-js ran three programs");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
