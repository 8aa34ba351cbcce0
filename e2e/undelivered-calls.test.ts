import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { after, before, test } from "node:test";
import { weftProgram } from "../packages/testkit/src/weft-program.ts";
import { type HelloPair, runHelloPair } from "./hello-pair.ts";
import { LocalMesh } from "./local-mesh.ts";

let mesh: LocalMesh;
let pair: HelloPair;
before(async () => {
  mesh = await LocalMesh.start();
  pair = await runHelloPair(mesh);
});
after(() => mesh.close());

const fault = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: hello, namespace: default }
spec:
  hosts: [hello]
  http:
    - match: [{ headers: { break: { exact: "yes" } } }]
      fault: { abort: { httpStatus: 500, percentage: { value: 100 } } }
      route: [{ destination: { host: hello } }]
    - route: [{ destination: { host: hello } }]
`;

test("weft stat counts aborted calls, which no server ever saw, as failures of their service", async () => {
  const file = join(mesh.state, "fault.yaml");
  writeFileSync(file, fault);
  assert.equal((await mesh.weft("apply", "-f", file, "--wait")).code, 0);
  await mesh.until("the fault is in force", async () => (await pair.call("/", { break: "yes" })) === 500);
  await mesh.until("stat shows answered calls and undelivered ones together", async () => {
    await pair.call();
    await pair.call("/", { break: "yes" });
    const { stdout } = await mesh.weft("stat", "hello", "-o", "json");
    const row = JSON.parse(stdout).rows[0];
    return (
      row?.successRate > 0.2 && row.successRate < 0.8 && row.undeliveredPerSecond < row.requestsPerSecond
    );
  });
});

test("weft edges shows who called, as whom, and over mutual TLS; weft stat counts that edge alone", async () => {
  await mesh.until("the edge is secured", async () => {
    await pair.call();
    const { stdout } = await mesh.weft("edges", "hello", "-o", "json");
    const edge = JSON.parse(stdout).rows[0];
    if (edge?.securedRate !== 1) return false;
    assert.equal(`${edge.from.namespace}/${edge.from.name}`, "default/caller");
    assert.equal(edge.from.identity, "spiffe://cluster.local/ns/default/sa/caller");
    assert.equal(edge.to.name, "hello");
    return true;
  });
  const { stdout } = await mesh.weft("stat", "--from", "caller", "-o", "json");
  const [row] = JSON.parse(stdout).rows;
  assert.equal(row.name, "hello");
  assert.deepEqual(row.peers, ["spiffe://cluster.local/ns/default/sa/caller"]);
  assert.match((await mesh.weft("stat", "--to", "hello")).stdout, /default +caller/);
});

test("weft top writes the calls of this moment every second", async () => {
  const top = spawn(weftProgram, ["top", "caller", "-o", "json"], {
    env: { ...process.env, WEFT_STATE: mesh.state },
  });
  try {
    let lines = 0;
    for await (const line of createInterface(top.stdout)) {
      const { rows } = JSON.parse(line);
      if (rows[0]) assert.equal(rows[0].to.name, "hello");
      lines += 1;
      if (lines === 2) break;
    }
    assert.equal(lines, 2);
  } finally {
    top.kill();
  }
});
