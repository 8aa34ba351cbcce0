import { type DescMessage, fromBinary, type JsonObject, toJson } from "@bufbuild/protobuf";
import { type Asked, isGiven, type Snapshot, type XdsResource } from "@weft/xds/snapshot";
import { typeUrl } from "@weft/xds/type-url";
import type { ProxyResource, XdsKind } from "../api/protocol.ts";
import { schemas } from "../snapshot/encode.ts";
import type { PartType } from "../translate/part.ts";
import { extensionRegistry } from "./extension-registry.ts";

/** What a client asked for of a type; undefined when it never did. */
export type SubscriptionOf = (typeUrl: string) => Asked | undefined;

/** What the API calls a kind, as xDS names it. */
export const typeOfKind: Readonly<Record<XdsKind, Exclude<PartType, "nameTable" | "secret">>> = {
  listeners: "listener",
  routes: "route",
  clusters: "cluster",
  endpoints: "endpoint",
};

/** The resources of a kind that a client is given, of those that it asks for, in order of name, as JSON. */
export function proxyResources(
  kind: XdsKind,
  snapshot: Snapshot,
  subscription: SubscriptionOf,
): ProxyResource[] {
  const type = typeOfKind[kind];
  const asked = subscription(typeUrl[type]);
  if (!asked) return [];
  return [...(snapshot.byType.get(typeUrl[type])?.values() ?? [])]
    .filter((resource) => isGiven(asked, resource, snapshot))
    .map((resource) => proxyResource(kind, resource))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** One resource as JSON, with the place where it was written. */
export function proxyResource(kind: XdsKind, { name, version, body }: XdsResource): ProxyResource {
  const value = messageJson(schemas[typeOfKind[kind]], body);
  return { name, version, ...placeOf(value), value };
}

function messageJson(schema: DescMessage, body: Uint8Array): JsonObject {
  const options = { registry: extensionRegistry, useProtoFieldName: true };
  return toJson(schema, fromBinary(schema, body), options) as JsonObject;
}

/** Where a resource, or a part of it such as a route, was written. */
function placeOf(value: JsonObject): { readonly origin?: string } {
  const metadata = value.metadata as JsonObject | undefined;
  const filters = metadata?.filter_metadata as JsonObject | undefined;
  const origin = (filters?.istio as JsonObject | undefined)?.origin;
  return typeof origin === "string" ? { origin } : {};
}
