import { createHash } from "node:crypto";
import { type DescMessage, type Message, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { awaitedEndpoints } from "@weft/xds/awaited-endpoints";
import { type Cluster, ClusterSchema } from "@weft/xds/gen/envoy/config/cluster/v3/cluster_pb";
import { ClusterLoadAssignmentSchema } from "@weft/xds/gen/envoy/config/endpoint/v3/endpoint_pb";
import { ListenerSchema } from "@weft/xds/gen/envoy/config/listener/v3/listener_pb";
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
    version: versionOf(body),
    body,
    awaits: type === "cluster" ? awaitedEndpoints(message as Cluster) : undefined,
    references: referencesOf(type, message),
    ...(isOnDemand ? { isOnDemand } : {}),
  };
}

/**
 * Encodes a route configuration whose hosts are encoded already: the same
 * message as `encode` gives, its fields in another order.
 */
export function encodeRoutes(head: RouteConfiguration, hosts: readonly Uint8Array[]): EncodedResource {
  const writer = new BinaryWriter().raw(toBinary(RouteConfigurationSchema, head));
  const { number } = RouteConfigurationSchema.field.virtualHosts;
  for (const host of hosts) writer.tag(number, WireType.LengthDelimited).bytes(host);
  const body = writer.finish();
  return { name: head.name, version: versionOf(body), body, awaits: undefined, references: [] };
}

function versionOf(body: Uint8Array): string {
  return createHash("sha256").update(body).digest("base64url").slice(0, 22);
}
