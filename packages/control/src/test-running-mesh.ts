/** A control plane in this process, with clients that speak its protocols; for tests. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { systemClock } from "@weft/base/clock";
import { until as untilTrue } from "@weft/testkit/until";
import { AdsClient } from "@weft/xds/ads-client";
import { ClusterLoadAssignmentSchema } from "@weft/xds/gen/envoy/config/endpoint/v3/endpoint_pb";
import { RouteConfigurationSchema } from "@weft/xds/gen/envoy/config/route/v3/route_pb";
import { typeUrl } from "@weft/xds/type-url";
import type { ApiClient } from "./api/client.ts";
import { CheckedApiClient } from "./api/test-checked-client.ts";
import { type ControlPlane, type ControlPlaneOptions, startControlPlane } from "./control-plane.ts";
import { enrol, type Identity, targetOf } from "./test-enrol.ts";

const silent = { info: () => {}, warn: () => {}, error: () => {} };

export interface Setting {
  readonly plane: Pick<ControlPlane, "port" | "httpPort" | "socketPath" | "operatorSocket">;
  readonly api: ApiClient;
}

export async function setUp(
  t: TestContext,
  changes: Partial<ControlPlaneOptions> = {},
): Promise<Setting & { readonly stateDir: string }> {
  const stateDir = mkdtempSync(join(tmpdir(), "weft-control-"));
  t.after(() => rmSync(stateDir, { recursive: true, force: true }));
  const plane = await startControlPlane(optionsOf(stateDir, changes));
  t.after(() => plane.close());
  return { stateDir, plane, api: new CheckedApiClient({ socketPath: plane.socketPath }) };
}

export function optionsOf(stateDir: string, changes: Partial<ControlPlaneOptions> = {}): ControlPlaneOptions {
  return {
    stateDir,
    trustDomain: "cluster.local",
    address: "127.0.0.1",
    port: 0,
    plain: { address: "127.0.0.1", port: 0 },
    httpAddress: "127.0.0.1",
    httpPort: 0,
    version: "test",
    log: silent,
    ...changes,
  };
}

const address: Readonly<Record<string, string>> = {
  reviews: "10.9.0.1",
  ratings: "10.9.0.2",
  web: "10.9.0.3",
};

export function nodeOf(role: "agent" | "sidecar", service: string, version = "v1") {
  const name = `${service}-${version}-1`;
  return {
    id: `${role}~${address[service]}~${name}.default~default.svc.cluster.local`,
    cluster: service,
    metadata: {
      NAME: name,
      WORKLOAD_NAME: `${service}-${version}`,
      NAMESPACE: "default",
      SERVICE_ACCOUNT: service,
      SERVICE: service,
      LABELS: { app: service, version },
      INSTANCE_IPS: address[service]!,
      INTERCEPTION_MODE: "REDIRECT",
      WEFT_VERSION: "0.1.0",
      APP_PORTS: [{ port: 9080, protocol: "http", name: "http" }],
    },
  };
}

/** A real ADS client that keeps what it was given. */
export class TestClient {
  readonly held = new Map<string, Map<string, Uint8Array>>();
  readonly client: AdsClient;
  refuse: { readonly type: string; readonly text: string } | undefined;
  lastError: string | undefined;

  constructor(t: TestContext, setting: Setting, node: ReturnType<typeof nodeOf>, identity: Identity) {
    this.client = new AdsClient({
      clock: systemClock,
      target: targetOf(setting.plane, identity.root, identity),
      node: () => node,
      mode: "delta",
      backoff: { baseMs: 20, maxMs: 100 },
      handler: {
        onResources: (type, { added, removed }) => {
          if (this.refuse?.type === type) return this.refuse.text;
          const held = this.held.get(type) ?? new Map();
          this.held.set(type, held);
          for (const { name, body } of added) held.set(name, Uint8Array.from(body));
          for (const name of removed) held.delete(name);
          return undefined;
        },
      },
      onState: (state) => {
        if (state.t === "waiting") this.lastError = state.error.message;
      },
    });
    this.client.start();
    t.after(() => this.client.close());
  }

  get<S extends DescMessage>(type: string, name: string, schema: S): MessageShape<S> | undefined {
    const body = this.held.get(type)?.get(name);
    return body && fromBinary(schema, body);
  }
}

export function agentOf(
  t: TestContext,
  setting: Setting,
  service: string,
  identity: Identity,
  metadata: Readonly<Record<string, string>> = {},
): TestClient {
  const node = nodeOf("agent", service);
  const agent = new TestClient(
    t,
    setting,
    { ...node, metadata: { ...node.metadata, ...metadata } },
    identity,
  );
  agent.client.subscribe(typeUrl.nameTable, "*");
  return agent;
}

export function sidecarOf(t: TestContext, setting: Setting, service: string, identity: Identity): TestClient {
  const sidecar = new TestClient(t, setting, nodeOf("sidecar", service), identity);
  sidecar.client.subscribe(typeUrl.cluster, "*");
  sidecar.client.subscribe(typeUrl.listener, "*");
  sidecar.client.subscribe(typeUrl.route, ["9080"]);
  sidecar.client.subscribe(typeUrl.endpoint, [reviewsCluster]);
  return sidecar;
}

export const reviewsCluster = "outbound|9080||reviews.default.svc.cluster.local";

/** Two workloads with agents and sidecars, healthy. */
export async function runningMesh(
  t: TestContext,
  setting: Setting,
  metadata: Readonly<Record<string, string>> = {},
) {
  const [reviews, web] = await Promise.all([enrol(setting, "reviews"), enrol(setting, "web")]);
  const reviewsAgent = agentOf(t, setting, "reviews", reviews);
  const webAgent = agentOf(t, setting, "web", web, metadata);
  await until(async () => (await setting.api.status()).workloads.length === 2);
  for (const { client } of [reviewsAgent, webAgent]) client.report(typeUrl.health);
  const webSidecar = sidecarOf(t, setting, "web", web);
  await until(() => endpointsOf(webSidecar) === 1 && clustersOfRoute(webSidecar).length === 1);
  await until(async () => (await setting.api.status()).proxies.every((proxy) => proxy.state === "synced"));
  return { reviews, web, reviewsAgent, webAgent, webSidecar };
}

export function endpointsOf(sidecar: TestClient): number {
  const assignment = sidecar.get(typeUrl.endpoint, reviewsCluster, ClusterLoadAssignmentSchema);
  return (assignment?.endpoints ?? []).reduce((sum, locality) => sum + locality.lbEndpoints.length, 0);
}

export const destinationRule = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: reviews
spec:
  host: reviews
  subsets:
    - name: v1
      labels: {version: v1}
    - name: v2
      labels: {version: v2}
`;
export const virtualService = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: reviews
spec:
  hosts: [reviews]
  http:
    - route:
        - destination: {host: reviews, subset: v2}
`;

export function clustersOfRoute(sidecar: TestClient): readonly string[] {
  const routes = sidecar.get(typeUrl.route, "9080", RouteConfigurationSchema);
  const host = routes?.virtualHosts.find((candidate) => candidate.name.includes("reviews"));
  return (host?.routes ?? []).map((route) => {
    const { action } = route;
    return action.case === "route" ? String(action.value.clusterSpecifier.value) : "";
  });
}

/** Looks again and again until it is so; what it looked for is in the error when it never was. */
export function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  return untilTrue(`${isSo}`, isSo, { everyMs: 10 });
}
