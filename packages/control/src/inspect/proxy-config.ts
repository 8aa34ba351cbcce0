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
  const hosts = kind === "routes" ? given("virtualHost", snapshot, subscription) : [];
  return given(type, snapshot, subscription)
    .map((resource) => proxyResource(kind, resource))
    .map((resource) => (kind === "routes" ? withHosts(resource, hosts) : resource))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function given(type: PartType, snapshot: Snapshot, subscription: SubscriptionOf): XdsResource[] {
  const asked = subscription(typeUrl[type]);
  const resources = snapshot.byType.get(typeUrl[type])?.values() ?? [];
  return asked ? [...resources].filter((resource) => isGiven(asked, resource, snapshot)) : [];
}

/** A route configuration with the virtual hosts that came by name, and without the list of those that may. */
function withHosts(routes: ProxyResource, hosts: readonly XdsResource[]): ProxyResource {
  const { vhds, metadata, virtual_hosts: own = [], ...rest } = routes.value;
  if (vhds === undefined) return routes;
  const learnt = hosts
    .filter(({ name }) => name.startsWith(`${routes.name}/`))
    .map(({ body }) => messageJson(schemas.virtualHost, body));
  return { ...routes, value: { ...rest, virtual_hosts: [...learnt, ...(own as JsonObject[])], vhds } };
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
