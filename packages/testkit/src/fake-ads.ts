import { createHash } from "node:crypto";
import { type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { systemClock } from "@weft/base/clock";
import { AdsServer, type AdsSession } from "@weft/xds/ads-server";
import { awaitedEndpoints } from "@weft/xds/awaited-endpoints";
import type { Cluster } from "@weft/xds/gen/envoy/config/cluster/v3/cluster_pb";
import { ClusterSchema } from "@weft/xds/gen/envoy/config/cluster/v3/cluster_pb";
import type { ClusterLoadAssignment } from "@weft/xds/gen/envoy/config/endpoint/v3/endpoint_pb";
import { ClusterLoadAssignmentSchema } from "@weft/xds/gen/envoy/config/endpoint/v3/endpoint_pb";
import type { Listener } from "@weft/xds/gen/envoy/config/listener/v3/listener_pb";
import { ListenerSchema } from "@weft/xds/gen/envoy/config/listener/v3/listener_pb";
import type { RouteConfiguration } from "@weft/xds/gen/envoy/config/route/v3/route_pb";
import { RouteConfigurationSchema } from "@weft/xds/gen/envoy/config/route/v3/route_pb";
import type { Secret } from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb";
import { SecretSchema } from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb";
import { GrpcServer } from "@weft/xds/grpc/grpc-server";
import type { ListenAddress } from "@weft/xds/grpc/listen-on";
import type { Snapshot, XdsResource } from "@weft/xds/snapshot";
import { typeUrl } from "@weft/xds/type-url";

/** Types as tests write them. */
export type AdsType = "LDS" | "RDS" | "CDS" | "EDS" | "SDS";

/** What a push puts in place; a kind that is left out stays as it is. */
export interface FakeResources {
  readonly listeners?: readonly Listener[];
  readonly routes?: readonly RouteConfiguration[];
  readonly clusters?: readonly Cluster[];
  readonly endpoints?: readonly ClusterLoadAssignment[];
  readonly secrets?: readonly Secret[];
}

type Answer = { readonly type: AdsType; readonly error: string | undefined };

const urls: Readonly<Record<AdsType, string>> = {
  LDS: typeUrl.listener,
  RDS: typeUrl.route,
  CDS: typeUrl.cluster,
  EDS: typeUrl.endpoint,
  SDS: typeUrl.secret,
};
/** Long enough for a loaded machine; a test that waits this long has failed. */
const patienceMs = 10_000;

/**
 * An ADS and SDS server for tests of clients: it says what the test pushes, and
 * the test waits for what the client answers.
 *
 *     await ads.push({ clusters, endpoints: [bad] });
 *     assert.match(await ads.expectNack("EDS"), /port_value/);
 */
export class FakeAds {
  readonly port: number;
  readonly server: AdsServer;
  readonly #grpc: GrpcServer;
  readonly #byType = new Map<string, ReadonlyMap<string, XdsResource>>();
  readonly #answers: Answer[] = [];
  readonly #waiting = new Set<() => void>();

  private constructor(port: number, grpc: GrpcServer, server: AdsServer, link: Link) {
    this.port = port;
    this.#grpc = grpc;
    this.server = server;
    link.fake = this;
  }

  /** Listens on a free port of 127.0.0.1, or where told. */
  static async start(address: ListenAddress = { host: "127.0.0.1", port: 0 }): Promise<FakeAds> {
    const link: Link = { fake: undefined };
    const server = new AdsServer({
      clock: systemClock,
      admit() {},
      events: {
        onConnected: (session) => link.fake?.onConnected(session),
        onDisconnected: () => link.fake?.wake(),
        onAck: (_, url) => link.fake?.onAnswer(url, undefined),
        onNack: (_, url, error) => link.fake?.onAnswer(url, error),
        onSettled: () => link.fake?.wake(),
      },
    });
    const grpc = new GrpcServer({
      clock: systemClock,
      routes: [...server.routes("aggregated"), ...server.routes("endpoint"), ...server.routes("secret")],
      onError(error) {
        throw error;
      },
    });
    const { port } = await grpc.listen(address);
    return new FakeAds(port, grpc, server, link);
  }

  /** Gives every client this, and those that connect later. Returns at once: answers are waited for by name. */
  push(resources: FakeResources): void {
    const { listeners, routes, clusters, endpoints, secrets } = resources;
    if (listeners) this.#set(typeUrl.listener, ListenerSchema, listeners, (one) => one.name);
    if (routes) this.#set(typeUrl.route, RouteConfigurationSchema, routes, (one) => one.name);
    if (clusters) this.#set(typeUrl.cluster, ClusterSchema, clusters, (one) => one.name);
    if (endpoints)
      this.#set(typeUrl.endpoint, ClusterLoadAssignmentSchema, endpoints, (one) => one.clusterName);
    if (secrets) this.#set(typeUrl.secret, SecretSchema, secrets, (one) => one.name);
    const snapshot = this.#snapshot();
    for (const session of this.server.sessions) session.setSnapshot(snapshot);
  }

  /** The next answer of this type must be an ACK. */
  async expectAck(type: AdsType): Promise<void> {
    const { error } = await this.#next(type);
    if (error !== undefined) throw new Error(`${type} was refused: ${error}`);
  }

  /** The next answer of this type must be a NACK; resolves with its text. */
  async expectNack(type: AdsType): Promise<string> {
    const { error } = await this.#next(type);
    if (error === undefined) throw new Error(`${type} was accepted, which was not expected`);
    return error;
  }

  /** Waits until at least this many clients have answered everything pushed, with ACKs or NACKs. */
  async settled(clients = 1): Promise<void> {
    await this.#until(
      () => this.server.sessions.filter((session) => isSettled(session)).length >= clients,
      "no client has answered everything",
    );
  }

  /** Waits until this many clients are connected. */
  async connected(clients = 1): Promise<readonly AdsSession[]> {
    await this.#until(() => this.server.sessions.length === clients, `there are not ${clients} clients`);
    return this.server.sessions;
  }

  /** Ends every stream, as a control plane that restarts does; the port stays. */
  disconnect(): void {
    this.server.close();
  }

  async close(): Promise<void> {
    await this.#grpc.close();
  }

  /** @internal */
  onConnected(session: AdsSession): void {
    session.setSnapshot(this.#snapshot());
    this.wake();
  }

  /** @internal */
  onAnswer(url: string, error: string | undefined): void {
    const type = (Object.keys(urls) as AdsType[]).find((one) => urls[one] === url);
    if (type) this.#answers.push({ type, error });
    this.wake();
  }

  /** @internal */
  wake(): void {
    for (const wake of this.#waiting) wake();
  }

  #snapshot(): Snapshot {
    return { byType: new Map(this.#byType) };
  }

  async #next(type: AdsType): Promise<Answer> {
    const at = () => this.#answers.findIndex((answer) => answer.type === type);
    await this.#until(() => at() >= 0, `${type} was not answered`);
    return this.#answers.splice(at(), 1)[0]!;
  }

  #until(isTrue: () => boolean, complaint: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void) => {
        clearTimeout(timer);
        this.#waiting.delete(check);
        settle();
      };
      const check = () => {
        if (isTrue()) finish(resolve);
      };
      const seen = () => this.server.sessions.map(({ node, types }) => ({ node: node.id, types }));
      const timer = setTimeout(
        () => finish(() => reject(new Error(`${complaint}: ${JSON.stringify(seen())}`))),
        patienceMs,
      );
      this.#waiting.add(check);
      check();
    });
  }

  #set<T extends DescMessage>(
    url: string,
    schema: T,
    messages: readonly MessageShape<T>[],
    nameOf: (message: MessageShape<T>) => string,
  ): void {
    const resources = messages.map((one) => {
      const awaits = url === typeUrl.cluster ? awaitedEndpoints(one as unknown as Cluster) : undefined;
      return { ...xdsResource(nameOf(one), schema, one), awaits };
    });
    this.#byType.set(url, new Map(resources.map((one) => [one.name, one])));
  }
}

interface Link {
  fake: FakeAds | undefined;
}

/** A message as a snapshot holds it, its version made from its bytes. */
export function xdsResource<T extends DescMessage>(
  name: string,
  schema: T,
  message: MessageShape<T>,
): XdsResource {
  const body = toBinary(schema, message);
  return { name, body, version: createHash("sha256").update(body).digest("hex").slice(0, 16) };
}

function isSettled(session: AdsSession): boolean {
  return session.snapshot !== undefined && session.settledSnapshot === session.snapshot;
}
