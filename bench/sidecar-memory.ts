/**
 * `npm run bench:sidecar-memory`: what a sidecar costs in memory as the mesh
 * around it grows: with a `Sidecar` that names five services, with clusters that
 * it learns by use (before the first), and with everything (`--scope all`).
 *
 *   npm run bench:sidecar-memory [-- --services 10,1000,10000 | --quick]
 *
 * A real `weft proxy` with interception, in a network namespace of its own
 * (`unshare`), is given what the control plane translates for it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { assembleSvid } from "@weft/agent/enrolment/svid";
import { startSecretServer } from "@weft/agent/sidecar/secret-server";
import { systemClock } from "@weft/base/clock";
import { parseConfig } from "@weft/control/config/parse-config";
import { buildMesh } from "@weft/control/model/build-mesh";
import { hostnamesNeedingAddress } from "@weft/control/model/build-services";
import type { Workload } from "@weft/control/registry/workload";
import { SnapshotBuilder } from "@weft/control/snapshot/snapshot-builder";
import {
  type ClientFeatures,
  learningSidecarFeatures,
  sidecarFeatures,
} from "@weft/control/translate/client-features";
import { parseSpiffeId } from "@weft/identity/spiffe-id";
import { TestCa } from "@weft/testkit/test-ca";
import { AdsServer } from "@weft/xds/ads-server";
import { GrpcServer } from "@weft/xds/grpc/grpc-server";
import { isGiven, type Snapshot } from "@weft/xds/snapshot";
import { typeUrl } from "@weft/xds/type-url";

const { values } = parseArgs({
  options: {
    services: { type: "string", default: "10,1000,10000" },
    quick: { type: "boolean", default: false },
  },
});
const sizes = values.quick ? [10, 50] : values.services.split(",").map(Number);

/** How many services the sidecar uses, whatever there is. */
const used = 5;
const settings = { trustDomain: "cluster.local", meshDefaults: { accessLog: undefined } };
const directory = mkdtempSync(join(tmpdir(), "weft-bench-memory-"));

const hosts = Array.from({ length: used }, (_, i) => `"./s${i}.default.svc.cluster.local"`).join(", ");
const scope = `apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: scope }
spec: { egress: [{ hosts: [${hosts}] }] }
`;

interface Mode {
  readonly what: string;
  readonly yaml: string;
  readonly features: ClientFeatures;
}

const modes: readonly Mode[] = [
  { what: "five services named by a Sidecar", yaml: scope, features: learningSidecarFeatures },
  { what: "services learnt by use", yaml: "", features: learningSidecarFeatures },
  { what: "all services", yaml: "", features: sidecarFeatures },
];

function workload(service: string, index: number): Workload {
  return {
    id: `${service}-1.default`,
    name: `${service}-1`,
    workloadName: service,
    namespace: "default",
    serviceAccount: service,
    service,
    labels: { app: service },
    addresses: [`10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`],
    ports: [{ port: 80, protocol: "http", name: "http", listenPort: 80 }],
    interception: "REDIRECT",
    upstreams: [],
    isHealthy: true,
    hasSidecar: true,
  };
}

/** What the sidecar of the first service is given in a mesh of so many. */
function snapshotOf(services: number, { yaml, features }: Mode): Snapshot {
  const { resources } = parseConfig([{ name: "mesh.yaml", text: yaml }]);
  const workloads = Array.from({ length: services }, (_, i) => workload(`s${i}`, i + 1));
  const names = hostnamesNeedingAddress(resources, workloads, settings);
  const vips = new Map(names.map((name, i) => [name, `240.240.${(i + 1) >> 8}.${(i + 1) & 255}`]));
  const { mesh } = buildMesh({ resources, workloads, vips, options: settings });
  return new SnapshotBuilder().build(mesh, { id: "s0-1.default", features });
}

/** Serves configuration, and the certificates that it waits for. */
async function serve(snapshot: Snapshot, xds: string, secrets: string): Promise<() => Promise<unknown>> {
  const ads = new AdsServer({
    clock: systemClock,
    admit() {},
    events: {
      onConnected: (session) => session.setSnapshot(snapshot),
      onDisconnected() {},
      onNack(_session, type, error) {
        throw new Error(`the sidecar refused ${type}: ${error}`);
      },
    },
  });
  const onError = (error: unknown) => console.error(error);
  const server = new GrpcServer({ clock: systemClock, routes: ads.routes("aggregated"), onError });
  await server.listen({ path: xds, mode: 0o666 });
  const ca = new TestCa();
  const { chainPem, keys } = ca.leaf("default", "s0");
  const identity = {
    spiffeId: parseSpiffeId("spiffe://cluster.local/ns/default/sa/s0"),
    trustDomain: ca.trustDomain,
  };
  const sds = await startSecretServer({
    path: secrets,
    svid: assembleSvid(chainPem, keys, identity, Date.now()),
    owner: undefined,
    clock: systemClock,
    talk: onError,
  });
  return () => Promise.all([server.close(), sds.close()]);
}

function bootstrap(xds: string, secrets: string, admin: string): object {
  const http2 = {
    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
    explicit_http_config: { http2_protocol_options: {} },
  };
  const cluster = (name: string, socket: string) => ({
    name,
    type: "STATIC",
    connect_timeout: "1s",
    typed_extension_protocol_options: { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2 },
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path: socket } } } }] }],
    },
  });
  return {
    node: { id: "s0", cluster: "s0" },
    admin: { address: { pipe: { path: admin } } },
    dynamic_resources: {
      ads_config: {
        api_type: "DELTA_GRPC",
        transport_api_version: "V3",
        grpc_services: [{ envoy_grpc: { cluster_name: "xds-grpc" } }],
      },
      cds_config: { ads: {}, resource_api_version: "V3" },
      lds_config: { ads: {}, resource_api_version: "V3" },
    },
    static_resources: { clusters: [cluster("xds-grpc", xds), cluster("sds-grpc", secrets)] },
  };
}

/** Resident memory in MB once all configuration is in force and nothing moves any more. */
async function residentMb(services: number, mode: Mode): Promise<number> {
  const folder = mkdtempSync(join(directory, "run-"));
  const [xds, secrets, admin, file] = ["xds", "sds", "admin", "bootstrap.json"].map((name) =>
    join(folder, name),
  ) as [string, string, string, string];
  const snapshot = snapshotOf(services, mode);
  const stop = await serve(snapshot, xds, secrets);
  writeFileSync(file, JSON.stringify(bootstrap(xds, secrets, admin)));
  const weft = join(import.meta.dirname, "..", "packages", "cli", "bin", "weft");
  const start = `ip link set lo up && exec ${weft} proxy -c ${file} -l error`;
  const proxy = spawn("unshare", ["--net", "sh", "-c", start], { stdio: ["ignore", "inherit", "inherit"] });
  try {
    const wildcard = { isWildcard: true, names: new Set<string>() };
    const clusters = [...snapshot.byType.get(typeUrl.cluster)!.values()];
    const { length } = clusters.filter((cluster) => isGiven(wildcard, cluster, snapshot));
    await until(async () => (await isLive(admin)) && (await countClusters(admin)) >= length);
    return await settledMb(proxy);
  } finally {
    const over = once(proxy, "exit");
    proxy.kill("SIGKILL");
    await over;
    await stop();
  }
}

/** Bounded, so that a proxy that refuses what it is given ends the benchmark. */
async function until(check: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + 300_000;
  while (performance.now() < deadlineMs) {
    if (await check().catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("the sidecar did not take its configuration within five minutes");
}

async function countClusters(admin: string): Promise<number> {
  const text = await asked(admin, "/stats?filter=cluster_manager.active_clusters");
  return Number(/: (\d+)/.exec(text)?.[1] ?? 0);
}

/** Whether listeners and routes are in force too. */
async function isLive(admin: string): Promise<boolean> {
  return (await asked(admin, "/ready")).startsWith("LIVE");
}

function asked(admin: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath: admin, path }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (chunk) => (text += chunk));
      answer.on("end", () => resolve(text));
    });
    call.on("error", reject);
    call.end();
  });
}

/** The least of what is seen in ten quiet seconds: garbage is no cost of a mesh. */
async function settledMb({ pid }: ChildProcess): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < (values.quick ? 4 : 40); i++) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    least = Math.min(least, Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) / 1024);
  }
  return least;
}

try {
  for (const mode of modes) {
    const { what } = mode;
    let first: number | undefined;
    for (const services of sizes) {
      const mb = await residentMb(services, mode);
      first ??= mb;
      const more = services === sizes[0] ? "" : `  (${(mb - first).toFixed(1)} more than of ${sizes[0]})`;
      console.log(`${what}, mesh of ${services}: ${mb.toFixed(1)} MB${more}`);
    }
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
