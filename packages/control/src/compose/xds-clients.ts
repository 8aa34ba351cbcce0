import type { Clock } from "@weft/base/clock";
import { MeshError, messageOf } from "@weft/base/errors";
import { parseSpiffeId, type SpiffeId, type TrustDomain } from "@weft/identity/spiffe-id";
import { parseWorkloadId } from "@weft/identity/workload-id";
import type { AdsEvents, AdsNode, AdsSession, DeliveryTrouble } from "@weft/xds/ads-server";
import type { GrpcPeer } from "@weft/xds/grpc/grpc-peer";
import { GrpcError, grpcCode } from "@weft/xds/grpc/grpc-status";
import type { Snapshot, XdsResource } from "@weft/xds/snapshot";
import { typeUrl } from "@weft/xds/type-url";
import type { TrustHolder } from "../ca/root-rotation.ts";
import { type NodeId, parseNodeId } from "../registry/node-id.ts";
import { parseRegistration } from "../registry/parse-registration.ts";
import type { Workload } from "../registry/workload.ts";
import type { Lease, WorkloadRegistry } from "../registry/workload-registry.ts";
import type { SnapshotBuilder } from "../snapshot/snapshot-builder.ts";
import {
  type ClientFeatures,
  learningSidecarFeatures,
  parseClientFeatures,
} from "../translate/client-features.ts";
import type { EventLog } from "./event-log.ts";
import type { MeshPipeline } from "./mesh-pipeline.ts";
import type { PilotMetrics } from "./pilot-metrics.ts";
import { type ProxySync, type ProxySyncTable, type Push, shortTypeName } from "./proxy-sync.ts";

export interface XdsClientsOptions {
  readonly clock: Clock;
  readonly trustDomain: TrustDomain;
  readonly registry: WorkloadRegistry;
  readonly pipeline: MeshPipeline;
  readonly builder: Pick<SnapshotBuilder, "build">;
  /** Whether clients that can ask for what they use are given no more. */
  readonly learnsScope: boolean;
  readonly sync: ProxySyncTable;
  readonly events: EventLog;
  /** The trust bundle of now: what agents are told beside their names. */
  readonly trust: () => ReadonlyMap<string, XdsResource>;
  /** Whether an identity was given leave to be a gateway. */
  readonly mayBeGateway: (identity: SpiffeId) => boolean;
  readonly metrics: PilotMetrics;
  readonly onError: (error: unknown) => void;
}

/** What admission found out about a stream. */
interface Admitted {
  readonly id: NodeId;
  /** "" on the plain listener. */
  readonly identity: string;
  /** Only of agents: what they register. */
  readonly registration: Workload | undefined;
  readonly peer: GrpcPeer;
}

interface Client extends Admitted {
  readonly session: AdsSession;
  readonly proxy: ProxySync;
  readonly lease: Lease | undefined;
  readonly features: ClientFeatures;
  /** What its newest snapshot was made for. */
  push: Push | undefined;
  /** What an agent said that its data plane uses. */
  trust: { readonly bundle: string | undefined; readonly root: string | undefined } | undefined;
}

/** Clients given a push in one turn: between two, what others have sent is read, and answers come in. */
const perTurn = 64;
const maxErrorLength = 2_000;
const maxBootstrapLength = 64 << 10;

/**
 * The clients of the ADS server: an agent's stream is its workload's
 * registration, and every stream gets the snapshot of the workload that its
 * node id names, if that workload belongs to its verified identity.
 *
 * On the plain listener nothing is verified: it may look, for debugging on the
 * control plane's own machine, and registers nothing.
 */
export class XdsClients implements AdsEvents {
  readonly #options: XdsClientsOptions;
  readonly #admitted = new WeakMap<AdsNode, Admitted>();
  readonly #clients = new Map<AdsSession, Client>();
  #push: Push;

  constructor(options: XdsClientsOptions) {
    this.#options = options;
    this.#push = { version: "0/0", revision: 0, changedAtMs: options.clock.monotonicMs() };
  }

  /** @throws GrpcError when the node is malformed, or is not what its peer may be. */
  readonly admit = (node: AdsNode, peer: GrpcPeer): void => {
    try {
      this.#admitted.set(node, this.#admit(node, peer));
    } catch (error) {
      this.#options.metrics.refused.add();
      this.#options.events.add(
        "refused",
        `${node.id.slice(0, 200)} from ${peer.address}: ${messageOf(error)}`,
      );
      if (error instanceof MeshError) throw new GrpcError(grpcCode.permissionDenied, error.message);
      throw error;
    }
  };

  onConnected(session: AdsSession): void {
    const { sync, events, learnsScope } = this.#options;
    const admitted = this.#admitted.get(session.node)!;
    const { id, identity } = admitted;
    const { metadata, clientFeatures } = session.node;
    const version = metadata.WEFT_VERSION;
    const declared = parseClientFeatures(clientFeatures, metadata);
    const features = learnsScope ? declared : { ...declared, learnsScope };
    const info = {
      nodeId: session.node.id,
      role: id.role,
      workloadId: id.workloadId,
      identity,
      address: id.address,
      version: typeof version === "string" ? version.slice(0, 64) : "",
      dataPlane: session.node.userAgent.slice(0, 64),
      ...bootstrapOf(session.node),
      isProxyless: features.isProxyless,
    };
    const client: Client = {
      ...admitted,
      trust: undefined,
      session,
      proxy: sync.connect(info, session),
      lease: this.#register(session, admitted),
      // An agent asks for names alone, and so shares what its sidecar is likely to have.
      features: id.role === "agent" ? learningSidecarFeatures : features,
      push: undefined,
    };
    this.#clients.set(session, client);
    events.add("connect", `${id.role} of ${id.workloadId} connected${identity && ` as ${identity}`}`);
    this.#give(client);
  }

  #register(session: AdsSession, { registration }: Admitted): Lease | undefined {
    if (!registration) return undefined;
    const { registry, metrics } = this.#options;
    try {
      const lease = registry.register(registration);
      metrics.registered.add();
      return lease;
    } catch (error) {
      metrics.refused.add();
      session.close(new GrpcError(grpcCode.resourceExhausted, messageOf(error)));
      return undefined;
    }
  }

  onDisconnected(session: AdsSession): void {
    const client = this.#clients.get(session);
    if (!client) return;
    this.#clients.delete(session);
    if (client.lease) this.#options.metrics.unregistered.add();
    client.lease?.end(client.peer.wasSilent?.() ? "silence" : undefined);
    this.#options.sync.disconnect(client.proxy);
    this.#options.events.add("disconnect", `${client.id.role} of ${client.id.workloadId} disconnected`);
  }

  onSent(_: AdsSession, type: string, bytes: number): void {
    this.#options.metrics.sent(metricType(type), bytes);
  }

  onTrouble(_: AdsSession, type: string | undefined, trouble: DeliveryTrouble): void {
    this.#options.metrics.troubled(type === undefined ? "all" : metricType(type), trouble);
  }

  onNack(session: AdsSession, type: string, error: string): void {
    const shortType = shortTypeName(type);
    this.#options.metrics.rejected(metricType(type));
    this.#options.events.add(
      "nack",
      `${session.node.id} refused ${shortType}: ${error.slice(0, maxErrorLength)}`,
    );
  }

  onSettled(session: AdsSession): void {
    const client = this.#clients.get(session);
    if (client?.push) this.#options.sync.settled(client.proxy, client.push);
  }

  /** An agent says whether its application may get traffic. */
  onCustomRequest(
    session: AdsSession,
    request: {
      readonly typeUrl: string;
      readonly error: string | undefined;
      readonly names: readonly string[];
    },
  ): void {
    const client = this.#clients.get(session);
    if (client?.lease && request.typeUrl === typeUrl.trustReport) {
      const [bundle, root] = request.names;
      client.trust = { bundle, root };
      return;
    }
    if (!client?.lease || request.typeUrl !== typeUrl.health) return;
    const { registry, events } = this.#options;
    const { workloadId } = client.id;
    const isHealthy = request.error === undefined;
    if (registry.get(workloadId)?.isHealthy !== isHealthy) {
      const detail = request.error ? `: ${request.error.slice(0, maxErrorLength)}` : "";
      events.add("health", `${workloadId} is ${isHealthy ? "healthy" : "unhealthy"}${detail}`);
    }
    client.lease.setHealth(isHealthy);
  }

  /** Every registered workload, with what its agent said that its data plane uses. */
  trustHolders(): readonly TrustHolder[] {
    const said = new Map<string, Client["trust"]>();
    for (const { lease, id, trust } of this.#clients.values()) if (lease) said.set(id.workloadId, trust);
    const { registry } = this.#options;
    return [...registry.workloads.values()].map(({ id }) => ({
      workload: id,
      isConnected: registry.isConnected(id),
      ...said.get(id),
    }));
  }

  /**
   * Gives every client its snapshot of the mesh as it is now, some in each turn
   * of the event loop. The mesh must not change until it resolves.
   */
  async push(push: Push): Promise<void> {
    this.#push = push;
    const { clock, metrics, sync } = this.#options;
    const followed = sync.follow(push);
    let given = 0;
    for (const client of this.#clients.values()) {
      // Who connected during the push has it already.
      if (client.push === push) continue;
      if (given > 0 && given % perTurn === 0) await new Promise((resolve) => setImmediate(resolve));
      given += 1;
      const { isInService } = client.proxy;
      this.#give(client);
      metrics.queueTime.observe((clock.monotonicMs() - push.changedAtMs) / 1000);
      if (isInService) followed.given(client.proxy);
    }
    followed.end();
  }

  /** A workload whose snapshot cannot be built keeps the one it has. */
  #give(client: Client): void {
    const { id, identity, session, features } = client;
    const { pipeline, builder, onError } = this.#options;
    const { mesh } = pipeline.current;
    const workload = mesh.workloads.get(id.workloadId);
    if (!workload || (identity !== "" && workload.identity !== identity)) return;
    try {
      const built = builder.build(mesh, { id: workload.id, features });
      // Who is not verified may look, but not at a gateway's keys.
      const byType =
        id.role === "agent"
          ? new Map([...built.byType, [typeUrl.secret, this.#options.trust()]])
          : (identity === "" ? withoutSecrets(built) : built).byType;
      client.push = this.#push;
      session.setSnapshot({ byType, version: this.#push.version, isLearnt: built.isLearnt ?? false });
    } catch (error) {
      onError(error);
    }
  }

  #admit(node: AdsNode, peer: GrpcPeer): Admitted {
    const id = parseNodeId(node.id);
    if ("problem" in id) throw new GrpcError(grpcCode.invalidArgument, id.problem);
    if (!peer.isEncrypted) {
      if (id.role === "sidecar") return { id, identity: "", registration: undefined, peer };
      throw new GrpcError(grpcCode.unauthenticated, "registration needs mutual TLS: use port 15012");
    }
    if (!peer.spiffeId) {
      throw new GrpcError(grpcCode.unauthenticated, "xDS needs a client certificate of the mesh");
    }
    const spiffeId = parseSpiffeId(peer.spiffeId);
    const identity = parseWorkloadId(spiffeId);
    if (identity?.trustDomain !== this.#options.trustDomain || identity.namespace !== id.namespace) {
      throw new MeshError(`${node.id} does not belong to ${spiffeId}`, { source: "downstream" });
    }
    const existing = this.#options.registry.get(id.workloadId);
    if (existing && existing.serviceAccount !== identity.serviceAccount) {
      throw new MeshError(`${id.workloadId} belongs to another identity than ${spiffeId}`, {
        source: "downstream",
      });
    }
    const registration = id.role === "agent" ? parseRegistration(node, identity) : undefined;
    if (registration?.isGateway && !this.#options.mayBeGateway(spiffeId)) {
      const message = `${spiffeId} may not be a gateway, which has the Secrets of its namespace: make its token with 'weft token create --gateway'`;
      throw new MeshError(message, { source: "downstream" });
    }
    const refusal = registration && this.#options.pipeline.refusal(registration);
    if (refusal) throw new MeshError(refusal, { source: "downstream" });
    return { id, identity: spiffeId, registration, peer };
  }
}

/** A type as metrics name it. */
function metricType(typeUrl: string): string {
  return shortTypeName(typeUrl).toLowerCase();
}

function withoutSecrets(snapshot: Snapshot): Snapshot {
  const { byType } = snapshot;
  if (!byType.get(typeUrl.secret)?.size) return snapshot;
  return { ...snapshot, byType: new Map([...byType].filter(([type]) => type !== typeUrl.secret)) };
}

/** What an agent says its data plane was started with, where it is no longer than any that an agent writes. */
function bootstrapOf({ metadata }: AdsNode): { readonly bootstrap?: string } {
  const { BOOTSTRAP: bootstrap } = metadata;
  return typeof bootstrap === "string" && bootstrap.length <= maxBootstrapLength ? { bootstrap } : {};
}
