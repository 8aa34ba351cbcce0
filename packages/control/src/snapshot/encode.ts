import { createHash } from "node:crypto";
import { type DescMessage, type Message, toBinary } from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { awaitedEndpoints } from "@weft/xds/awaited-endpoints";
import { type Cluster, ClusterSchema } from "@weft/xds/gen/envoy/config/cluster/v3/cluster_pb";
import { ClusterLoadAssignmentSchema } from "@weft/xds/gen/envoy/config/endpoint/v3/endpoint_pb";
import { ListenerSchema } from "@weft/xds/gen/envoy/config/listener/v3/listener_pb";
import { type VirtualHost, VirtualHostSchema } from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import {
  type RouteConfiguration,
  RouteConfigurationSchema,
} from "@weft/xds/gen/envoy/config/route/v3/route_pb";
import { SecretSchema } from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb";
import { NameTableSchema } from "@weft/xds/gen/istio/networking/nds/v1/nds_pb";
import { WorkloadTemplateSchema } from "@weft/xds/gen/weft/workload/v1/workload_template_pb";
import type { XdsResource } from "@weft/xds/snapshot";
import { typeUrl } from "@weft/xds/type-url";
import type { PartType } from "../translate/part.ts";
import { resourceName } from "../translate/translate-sidecar.ts";
import { type Reference, referencesOf } from "./references.ts";

export const schemas: Readonly<Record<PartType, DescMessage>> = {
  listener: ListenerSchema,
  route: RouteConfigurationSchema,
  virtualHost: VirtualHostSchema,
  cluster: ClusterSchema,
  endpoint: ClusterLoadAssignmentSchema,
  secret: SecretSchema,
  nameTable: NameTableSchema,
  workloadTemplate: WorkloadTemplateSchema,
};

export const typeUrls: Readonly<Record<PartType, string>> = typeUrl;

export interface EncodedResource extends XdsResource {
  readonly references: readonly Reference[];
}

/** What one part became. */
export type Encoded = readonly EncodedResource[];

/** Encodes a message; its version is the hash of its bytes. */
export function encode(type: PartType, message: Message, isOnDemand = false): EncodedResource {
  const body = toBinary(schemas[type], message);
  return {
    name: resourceName(type, message),
    version: digest(body),
    body,
    awaits: type === "cluster" ? awaitedEndpoints(message as Cluster) : undefined,
    references: referencesOf(type, message),
    ...(isOnDemand ? { isOnDemand } : {}),
  };
}

/** A virtual host as a field of its route configuration. */
export interface EncodedHost {
  readonly bytes: Uint8Array;
  readonly version: string;
}

export function encodeHost(host: VirtualHost): EncodedHost {
  const { number } = RouteConfigurationSchema.field.virtualHosts;
  const bytes = new BinaryWriter()
    .tag(number, WireType.LengthDelimited)
    .bytes(toBinary(VirtualHostSchema, host))
    .finish();
  return { bytes, version: digest(bytes) };
}

/** A virtual host as a resource of its own, from its form as a field. */
export function loneHost(name: string, { bytes, version }: EncodedHost): EncodedResource {
  const reader = new BinaryReader(bytes);
  reader.tag();
  const body = reader.bytes();
  return { name, version, body, awaits: undefined, references: [], isOnDemand: true };
}

/** A route configuration with what it was put together from. */
export interface JoinedRoutes {
  readonly resource: EncodedResource;
  /** Where its hosts begin. */
  readonly headBytes: number;
  readonly hosts: readonly EncodedHost[];
}

/**
 * Encodes a route configuration whose hosts are encoded already: the same
 * message as `encode` gives, its fields in another order. Its version is the
 * hash of its hosts'.
 *
 * @param last of the same name, from which hosts that stand where they stood are copied in one go
 */
export function encodeRoutes(
  head: RouteConfiguration,
  hosts: readonly EncodedHost[],
  last?: JoinedRoutes,
): JoinedRoutes {
  const first = toBinary(RouteConfigurationSchema, head);
  const size = hosts.reduce((sum, { bytes }) => sum + bytes.length, first.length);
  // With memory of its own: it is kept for as long as some client has it.
  const body = Buffer.allocUnsafeSlow(size);
  body.set(first);
  let end = first.length;
  let lastEnd = last?.headBytes ?? 0;
  for (let i = 0; i < hosts.length; ) {
    const from = lastEnd;
    for (; i < hosts.length && hosts[i] === last?.hosts[i]; i += 1) lastEnd += hosts[i]!.bytes.length;
    if (lastEnd > from) {
      body.set(last!.resource.body.subarray(from, lastEnd), end);
      end += lastEnd - from;
    }
    if (i === hosts.length) break;
    body.set(hosts[i]!.bytes, end);
    end += hosts[i]!.bytes.length;
    lastEnd += last?.hosts[i]?.bytes.length ?? 0;
    i += 1;
  }
  const version = digest([digest(first), ...hosts.map((host) => host.version)].join());
  const resource = { name: head.name, version, body, awaits: undefined, references: [] };
  return { resource, headBytes: first.length, hosts };
}

/** Equal contents have equal versions. */
function digest(content: Uint8Array | string): string {
  return createHash("sha256").update(content).digest("base64url").slice(0, 22);
}
