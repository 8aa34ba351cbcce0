/**
 * Numbers agree: what a load tool sent is what the caller's sidecar counted, what
 * the called one counted, and what both wrote to their access logs, answer by
 * answer, whichever data plane either is.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { runCommand } from "../packages/cli/src/demo/command.ts";
import { findPeer } from "../packages/testkit/src/peer.ts";
import { LocalMesh } from "./local-mesh.ts";

const envoy = findPeer("envoy");
const h2load = findPeer("h2load");
const skip = !h2load ? "no h2load found" : envoy ? false : "no Envoy found";
const kinds = ["weft", "envoy"] as const;
type Kind = (typeof kinds)[number];

const hosts = { caller: { weft: 1, envoy: 2 }, called: { weft: 3, envoy: 4 } } as const;
const requests = 2_000;
/** Half of the requests are answered with 500: no status that a sidecar would try again. */
const paths = (caller: Kind, called: Kind) =>
  [`/load-${caller}-${called}`, `/fail-${caller}-${called}`] as const;

/** How often each status was seen. */
type Counts = Readonly<Record<string, number>>;

describe("numbers agree", { skip }, () => {
  let mesh: LocalMesh;

  before(async () => {
    mesh = await LocalMesh.start();
    const proxy = { weft: [], envoy: ["--proxy", "envoy", "--envoy-path", envoy!] } as const;
    const log = (name: string) => ["--access-log", logOf(mesh, name)];
    for (const kind of kinds) {
      const name = `called-${kind}`;
      const address = mesh.addressOf(hosts.called[kind]);
      const app = `require("http").createServer((q, s) => { s.statusCode = q.url.startsWith("/fail") ? 500 : 200; s.end("ok"); }).listen(8080, "${address}")`;
      const flags = ["--port", "8080:http", "--inbound-port", "8080=18080", ...proxy[kind], ...log(name)];
      await mesh.run(name, hosts.called[kind], flags, [process.execPath, "-e", app]);
    }
    for (const kind of kinds) {
      const name = `caller-${kind}`;
      const upstreams = kinds.flatMap((called, i) => [
        "--upstream",
        `called-${called}:8080=${originOf(mesh, kind, i)}`,
      ]);
      const flags = [...upstreams, ...proxy[kind], ...log(name)];
      await mesh.run(name, hosts.caller[kind], flags, [
        process.execPath,
        "-e",
        "setInterval(() => {}, 1000)",
      ]);
    }
    for (const kind of kinds) {
      for (const [i, called] of kinds.entries()) {
        const answers = () =>
          fetch(`http://${originOf(mesh, kind, i)}/ready`).then(
            ({ ok }) => ok,
            () => false,
          );
        await mesh.until(`${kind} reaches ${called}`, answers);
        await mesh.until(`both have counted that ${kind} reaches ${called}`, async () => {
          const { source, destination } = await countersOf(mesh, kind, called);
          return source[200] === 1 && destination[200] === 1;
        });
      }
    }
  });
  after(() => mesh?.close());

  for (const caller of kinds) {
    for (const [i, called] of kinds.entries()) {
      test(`${caller} calls ${called}`, async () => {
        const origin = `http://${originOf(mesh, caller, i)}`;
        const counted = () => countersOf(mesh, caller, called);
        const before = await counted();
        const urls = paths(caller, called).map((path) => `${origin}${path}`);
        const output = await runCommand(h2load!, ["--h1", "-n", `${requests}`, "-c", "8", ...urls], {
          timeoutMs: 120_000,
        });
        assert.match(output, new RegExp(`${requests} done`), output);
        const [, ok, failed] = /status codes: (\d+) 2xx, \d+ 3xx, \d+ 4xx, (\d+) 5xx/.exec(output)!;
        const sent = { 200: Number(ok), 500: Number(failed) };
        assert.deepEqual([sent[200] + sent[500], sent[500] > 0], [requests, true]);

        const seen = async () => {
          const now = await counted();
          return {
            source: difference(now.source, before.source),
            destination: difference(now.destination, before.destination),
            sourceLog: linesOf(logOf(mesh, `caller-${caller}`), paths(caller, called)),
            destinationLog: linesOf(logOf(mesh, `called-${called}`), paths(caller, called)),
          };
        };
        const expected = { source: sent, destination: sent, sourceLog: sent, destinationLog: sent };
        let last: object = {};
        await mesh
          .until("everything is told", async () => {
            last = await seen();
            return JSON.stringify(last) === JSON.stringify(expected);
          })
          .catch(() => assert.deepEqual(last, expected));
      });
    }
  }
});

function originOf(mesh: LocalMesh, caller: Kind, upstream: number): string {
  return `${mesh.addressOf(hosts.caller[caller])}:${20_000 + upstream}`;
}

function logOf(mesh: LocalMesh, name: string): string {
  return join(mesh.state, `${name}.log`);
}

/** `istio_requests_total` of these two, as each of them has it. */
async function countersOf(mesh: LocalMesh, caller: Kind, called: Kind) {
  const read = async (host: number, reporter: "source" | "destination"): Promise<Counts> => {
    const text = await (await fetch(`http://${mesh.addressOf(host)}:15090/stats/prometheus`)).text();
    const counts: Record<string, number> = {};
    for (const line of text.split("\n")) {
      const isOurs =
        line.startsWith("istio_requests_total{") &&
        line.includes(`reporter="${reporter}"`) &&
        line.includes(`source_workload="caller-${caller}"`) &&
        line.includes(`destination_workload="called-${called}"`);
      if (!isOurs) continue;
      const [, status] = /response_code="(\d+)"/.exec(line)!;
      counts[status!] = (counts[status!] ?? 0) + Number(line.slice(line.lastIndexOf(" ")));
    }
    return counts;
  };
  return {
    source: await read(hosts.caller[caller], "source"),
    destination: await read(hosts.called[called], "destination"),
  };
}

function difference(now: Counts, before: Counts): Counts {
  return Object.fromEntries(
    Object.entries(now)
      .map(([status, count]) => [status, count - (before[status] ?? 0)] as const)
      .filter(([, count]) => count > 0),
  );
}

/** Lines of an access log in Istio's format about requests for these paths. */
function linesOf(file: string, wanted: readonly string[]): Counts {
  const counts: Record<string, number> = {};
  for (const line of readFileSync(file, "utf8").split("\n")) {
    const [, path, status] = /"GET (\S+) HTTP\/[\d.]+" (\d+) /.exec(line) ?? [];
    if (path && wanted.includes(path)) counts[status!] = (counts[status!] ?? 0) + 1;
  }
  return counts;
}
