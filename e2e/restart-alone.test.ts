import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { LocalMesh } from "./local-mesh.ts";

let mesh: LocalMesh;
before(async () => {
  mesh = await LocalMesh.start();
});
after(() => mesh.close());

const server = (address: string) =>
  `require("http").createServer((_, response) => response.end("hello")).listen(8080, ${JSON.stringify(address)})`;

async function call(): Promise<string> {
  try {
    return await (await fetch(`http://${mesh.addressOf(1)}:20000/`)).text();
  } catch {
    return "";
  }
}

/** Whether a sidecar has kept its listeners and, where named, the endpoint of a service; readable by its user alone. */
function hasKept(name: string, service?: string): boolean {
  const path = join(mesh.state, name, "config", "kept-config");
  if (statSync(path, { throwIfNoEntry: false })?.mode !== 0o100600) return false;
  const resources = readFileSync(path, "utf8")
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => JSON.parse(line) as string[]);
  const hasListener = resources.some(([type]) => type!.endsWith(".Listener"));
  return hasListener && (!service || resources.some(isEndpointOf(service)));
}

/** An assignment with an address in it: it has come once the service was healthy. */
function isEndpointOf(service: string) {
  return ([type, , name, , body]: readonly string[]) =>
    type!.endsWith(".ClusterLoadAssignment") &&
    name!.includes(service) &&
    Buffer.from(body!, "base64").includes(mesh.addressOf(2));
}

test("workloads killed while the control plane is away come back, with mutual TLS, and follow it again later", async () => {
  const inbound = ["--port", "8080:http", "--inbound-port", "8080=18080"];
  await mesh.run("hello", 2, inbound, [process.execPath, "-e", server(mesh.addressOf(2))]);
  const upstream = ["--upstream", `hello:8080=${mesh.addressOf(1)}:20000`];
  await mesh.run("caller", 1, upstream, [process.execPath, "-e", "setInterval(() => {}, 1000)"]);
  await mesh.until("the service answers", async () => (await call()) === "hello");
  await mesh.until(
    "both have kept what they were told",
    () => hasKept("hello") && hasKept("caller", "hello"),
  );

  await mesh.killControlPlane();
  await mesh.killAndRestart("hello");
  await mesh.killAndRestart("caller");
  await mesh.until("the service answers without a control plane", async () => (await call()) === "hello");
  const ready = await (await fetch(`http://${mesh.addressOf(1)}:15000/ready`)).text();
  assert.match(ready, /^LIVE\nconfiguration of .*, kept on disk/);
  assert.match(mesh.saidBy("caller"), /does not answer: serving the configuration of/);

  await mesh.startControlPlane();
  await mesh.until("the sidecars are brought up to date", async () => {
    const answer = await fetch(`http://${mesh.addressOf(1)}:15000/ready`);
    return (await answer.text()) === "LIVE\n";
  });
  // A call on a connection that the update ends just then fails; and the service registers again by itself.
  await mesh.until("the service answers as before", async () => (await call()) === "hello");
});
