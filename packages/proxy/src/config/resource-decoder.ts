import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { messageOf } from "@weft/base/errors";
import { type Cluster, ClusterSchema } from "@weft/xds/gen/envoy/config/cluster/v3/cluster_pb";
import { ClusterLoadAssignmentSchema } from "@weft/xds/gen/envoy/config/endpoint/v3/endpoint_pb";
import { type Listener, ListenerSchema } from "@weft/xds/gen/envoy/config/listener/v3/listener_pb";
import { VirtualHostSchema } from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import {
  type RouteConfiguration,
  RouteConfigurationSchema,
} from "@weft/xds/gen/envoy/config/route/v3/route_pb";
import { SecretSchema } from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb";
import type { ClusterPlan, EndpointAssignment } from "../cluster/cluster-plan.ts";
import type { ListenerPlan } from "../listener/listener-plan.ts";
import type { RouteTable } from "../route/route-plan.ts";
import type { VirtualHostSpec } from "../route/route-table.ts";
import { decodeCluster } from "./decode-cluster.ts";
import {
  type DecodeContext,
  type Factories,
  type FilterServices,
  type Needs,
  noNeeds,
  type RouteHolder,
} from "./decode-context.ts";
import { decodeAssignment } from "./decode-endpoints.ts";
import { decodeListener } from "./decode-listener.ts";
import { decodeLoneVirtualHost, decodeRouteConfiguration } from "./decode-route.ts";
import { decodeSecret } from "./decode-tls.ts";
import { extensionRegistry } from "./extension-registry.ts";
import { Issues } from "./issues.ts";
import type { SecretMaterial, TlsContexts } from "./tls-contexts.ts";
import { reportUnsupported } from "./unsupported.ts";
import { GivenMessage, ReceivedMessage, type WrittenMessage } from "./written-message.ts";

/** A resource that was understood completely: what runs, what it waits for, and what it was made from. */
export interface Decoded<Plan> {
  readonly plan: Plan;
  readonly needs: Needs;
  readonly written: WrittenMessage;
}

export interface DecoderOptions {
  readonly factories: Factories;
  readonly services: FilterServices;
  readonly tls: TlsContexts;
  readonly runtime: ReadonlyMap<string, unknown>;
  readonly staticClusters: ReadonlySet<string>;
  readonly hasAds: boolean;
  readonly isAdsDelta: boolean;
  routeHolder(key: string): RouteHolder;
}

/**
 * Turns xDS resources into plans. A resource with a single mistake gives no
 * plan at all; its mistakes, every one with its path, are in the thrown
 * `ResourceError`.
 */
export class ResourceDecoder {
  readonly #options: DecoderOptions;

  constructor(options: DecoderOptions) {
    this.#options = options;
  }

  cluster(body: Uint8Array): Decoded<ClusterPlan> {
    return this.#decode(ClusterSchema, body, (message, context) => decodeCluster(message, "", context));
  }

  listener(body: Uint8Array): Decoded<ListenerPlan> {
    return this.#decode(ListenerSchema, body, (message, context) => decodeListener(message, "", context));
  }

  routes(body: Uint8Array): Decoded<RouteTable> {
    return this.#decode(RouteConfigurationSchema, body, (message, context) =>
      decodeRouteConfiguration(message, "", context),
    );
  }

  /** A virtual host that comes by itself, of a route configuration that was decoded before. */
  virtualHost(body: Uint8Array, config: RouteConfiguration): Decoded<VirtualHostSpec> {
    return this.#decode(VirtualHostSchema, body, (message, context) =>
      decodeLoneVirtualHost(message, config, context),
    );
  }

  endpoints(body: Uint8Array): Decoded<EndpointAssignment> {
    return this.#decode(ClusterLoadAssignmentSchema, body, (message, context) =>
      decodeAssignment(message, "", context.issues),
    );
  }

  secret(body: Uint8Array): Decoded<SecretMaterial | undefined> {
    return this.#decode(SecretSchema, body, (message, context) => decodeSecret(message, "", context.issues));
  }

  /** Compiles resources that came as part of a larger file, which has been checked for unsupported fields as a whole. */
  staticCluster(
    message: Cluster,
    path: string,
    issues: Issues,
    managementClusters: ReadonlySet<string>,
  ): Decoded<ClusterPlan> {
    const context: DecodeContext = { ...this.#context(issues, undefined), managementClusters };
    const plan = decodeCluster(message, path, context);
    return { plan, needs: context.needs, written: new GivenMessage(ClusterSchema, message) };
  }

  staticListener(
    message: Listener,
    path: string,
    issues: Issues,
    knownClusters: ReadonlySet<string>,
  ): Decoded<ListenerPlan> {
    const context = this.#context(issues, knownClusters);
    const plan = decodeListener(message, path, context);
    return { plan, needs: context.needs, written: new GivenMessage(ListenerSchema, message) };
  }

  #decode<Schema extends DescMessage, Plan>(
    schema: Schema,
    body: Uint8Array,
    compile: (message: MessageShape<Schema>, context: DecodeContext) => Plan,
  ): Decoded<Plan> {
    const issues = new Issues();
    let message: MessageShape<Schema>;
    try {
      message = fromBinary(schema, body);
    } catch (error) {
      throw new ResourceError(`not a ${schema.typeName}: ${messageOf(error)}`);
    }
    reportUnsupported(schema, message, extensionRegistry, issues);
    const context = this.#context(issues, undefined);
    const plan = compile(message, context);
    if (!issues.isEmpty) throw new ResourceError(issues.format());
    return { plan, needs: context.needs, written: new ReceivedMessage(schema, body) };
  }

  #context(issues: Issues, knownClusters: ReadonlySet<string> | undefined): DecodeContext {
    return {
      ...this.#options,
      routeHolder: (key) => this.#options.routeHolder(key),
      issues,
      knownClusters,
      managementClusters: undefined,
      needs: noNeeds(),
    };
  }
}

/** Everything wrong with one resource, one finding to a line. */
export class ResourceError extends Error {
  override readonly name = "ResourceError";
}
