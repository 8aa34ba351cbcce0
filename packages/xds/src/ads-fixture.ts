import assert from "node:assert/strict";
import { after } from "node:test";
import { create } from "@bufbuild/protobuf";
import { systemClock } from "@weft/base/clock";
import { FakeAds } from "@weft/testkit/fake-ads";
import { AdsClient, type AdsHandler, type AdsState, type ResourceUpdate } from "./ads-client.ts";
import { AdsServer, type AdsSession, type CustomRequest } from "./ads-server.ts";
import { ClusterSchema } from "./gen/envoy/config/cluster/v3/cluster_pb.js";
import { ClusterLoadAssignmentSchema } from "./gen/envoy/config/endpoint/v3/endpoint_pb.js";
import { ListenerSchema } from "./gen/envoy/config/listener/v3/listener_pb.js";
import { RouteConfigurationSchema } from "./gen/envoy/config/route/v3/route_pb.js";
import { SecretSchema } from "./gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js";
import { GrpcServer } from "./grpc/grpc-server.ts";
import { typeUrl } from "./type-url.ts";

/** What tests of this file have opened; the last is closed first. */
export const cleanups: (() => void | Promise<void>)[] = [];
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

export const cluster = (name: string, altStatName = "") => create(ClusterSchema, { name, altStatName });
export const endpoints = (clusterName: string, weight = 0) =>
  create(ClusterLoadAssignmentSchema, {
    clusterName,
    policy: { overprovisioningFactor: 100 + weight },
  });
export const listener = (name: string) => create(ListenerSchema, { name });
export const route = (name: string) => create(RouteConfigurationSchema, { name });
export const secret = (name: string) => create(SecretSchema, { name });

const shortName: Readonly<Record<string, string>> = {
  [typeUrl.listener]: "LDS",
  [typeUrl.route]: "RDS",
  [typeUrl.cluster]: "CDS",
  [typeUrl.endpoint]: "EDS",
  [typeUrl.secret]: "SDS",
  [typeUrl.nameTable]: "NDS",
};

/** A client that writes down what it is given as `CDS +a +b -c`, and refuses what it is told to. */
class Recorder implements AdsHandler {
  readonly seen: string[] = [];
  readonly refuse = new Map<string, string>();
  readonly #waiting: (() => void)[] = [];

  onResources(url: string, { added, removed }: ResourceUpdate): string | undefined {
    const type = shortName[url] ?? url;
    const names = [...added.map(({ name }) => `+${name}`), ...removed.map((name) => `-${name}`)];
    this.seen.push([type, ...names.sort()].join(" "));
    for (const wake of this.#waiting.splice(0)) wake();
    return this.refuse.get(type);
  }

  /** What came since last asked, once there is so much of it. */
  async take(count: number): Promise<readonly string[]> {
    while (this.seen.length < count) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return this.seen.splice(0);
  }
}

interface Connected {
  readonly client: AdsClient;
  readonly seen: Recorder;
  readonly states: AdsState[];
}

/** A client of a server on this port, and what it was given. */
export function connect(
  port: number,
  mode: "delta" | "sotw",
  options: Partial<ConstructorParameters<typeof AdsClient>[0]> = {},
): Connected {
  const seen = new Recorder();
  const states: AdsState[] = [];
  const client = new AdsClient({
    clock: systemClock,
    target: { address: { host: "127.0.0.1", port } },
    node: () => ({ id: "sidecar~10.0.0.1~a.default~default.svc.cluster.local", cluster: "a" }),
    mode,
    handler: seen,
    onState: (state) => states.push(state),
    backoff: { baseMs: 5, maxMs: 20 },
    ...options,
  });
  cleanups.push(() => client.close());
  return { client, seen, states };
}

export async function fake(): Promise<FakeAds> {
  const ads = await FakeAds.start();
  cleanups.push(() => ads.close());
  return ads;
}

interface Served {
  readonly port: number;
  readonly ads: AdsServer;
  readonly connected: AdsSession[];
  readonly custom: CustomRequest[];
  readonly disconnected: number[];
  /** Sizes of responses. */
  readonly sent: number[];
  readonly troubles: string[];
  wait(isTrue: () => boolean): Promise<void>;
}

/** An ADS server whose clients have nothing at first, and what it was told. */
export async function serve(admit: (id: string) => void = () => {}): Promise<Served> {
  const connected: AdsSession[] = [];
  const custom: CustomRequest[] = [];
  const disconnected: number[] = [];
  const sent: number[] = [];
  const troubles: string[] = [];
  const waiting = new Set<() => void>();
  const wake = () => {
    for (const check of waiting) check();
  };
  const ads = new AdsServer({
    clock: systemClock,
    customTypes: [typeUrl.health],
    admit: (node) => admit(node.id),
    events: {
      onConnected(session) {
        connected.push(session);
        session.setSnapshot({ byType: new Map() });
        wake();
      },
      onDisconnected(session) {
        disconnected.push(session.id);
        wake();
      },
      onSent: (_, __, bytes) => void sent.push(bytes),
      onTrouble: (_, type, trouble) => void troubles.push(`${shortName[type ?? ""]} ${trouble}`),
      onAck: wake,
      onSettled: wake,
      onCustomRequest(_, request) {
        custom.push(request);
        wake();
      },
    },
  });
  const grpc = new GrpcServer({
    clock: systemClock,
    routes: ads.routes("aggregated"),
    onError: (error) => assert.fail(String(error)),
  });
  const { port } = await grpc.listen({ host: "127.0.0.1", port: 0 });
  cleanups.push(() => grpc.close());
  const wait = (isTrue: () => boolean) =>
    new Promise<void>((resolve) => {
      const check = () => {
        if (!isTrue()) return;
        waiting.delete(check);
        resolve();
      };
      waiting.add(check);
      check();
    });
  return { port, ads, connected, custom, disconnected, sent, troubles, wait };
}
