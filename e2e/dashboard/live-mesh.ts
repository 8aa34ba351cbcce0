import { join } from "node:path";
import { LocalMesh } from "../local-mesh.ts";

const app = join(import.meta.dirname, "app.mjs");

/**
 * A mesh with something of everything the dashboard shows: a split between two
 * versions, injected failures, refused calls, TCP, and a caller without identity.
 */
export async function startLiveMesh(): Promise<LocalMesh> {
  const mesh = await LocalMesh.start();
  const at = (host: number, port: number) => `${mesh.addressOf(host)}:${port}`;
  const upstream = (service: string, host: number, port: number) => [
    "--upstream",
    `${service}=${at(host, port)}`,
  ];
  const http = ["--port", "8080:http", "--inbound-port", "8080=18080"];
  const run = (name: string, host: number, flags: readonly string[], args: readonly string[]) =>
    mesh.run(name, host, flags, [process.execPath, app, ...args]);
  for (const [version, host] of [
    ["v1", 2],
    ["v2", 3],
  ] as const) {
    const who = ["--name", "reviews", "--version", version, "--service-account", `reviews-${version}`];
    const args = ["--listen", at(host, 8080), "--next", `http://${at(host, 20_000)}/`];
    await run(`reviews-${version}`, host, [...who, ...http, ...upstream("ratings:8080", host, 20_000)], args);
  }
  await run("ratings", 4, [...http, "--version", "v1"], ["--listen", at(4, 8080)]);
  await run("details", 5, [...http, "--version", "v1"], ["--listen", at(5, 8080)]);
  await run("ledger", 6, ["--port", "7000:tcp", "--inbound-port", "7000=17000"], ["--tcp", at(6, 7000)]);
  const all = [
    ...upstream("reviews:8080", 1, 20_000),
    ...upstream("details:8080", 1, 20_001),
    ...upstream("ledger:7000", 1, 20_002),
  ];
  await run(
    "web",
    1,
    [...all, "--version", "v1"],
    [
      "--call",
      `http://${at(1, 20_000)}/=20`,
      "--call",
      `http://${at(1, 20_001)}/=10`,
      "--connect",
      at(1, 20_002),
      "--connect",
      at(1, 20_002),
    ],
  );
  await run("stranger", 7, upstream("details:8080", 7, 20_000), ["--call", `http://${at(7, 20_000)}/=3`]);
  const { code, stderr } = await mesh.weft("apply", "-f", join(import.meta.dirname, "mesh.yaml"), "--wait");
  if (code !== 0) throw new Error(stderr);
  return mesh;
}
