import { create, type DescMessage, type Message, toBinary } from "@bufbuild/protobuf";
import { ClusterSchema } from "@weft/xds/gen/envoy/config/cluster/v3/cluster_pb";
import { ClusterLoadAssignmentSchema } from "@weft/xds/gen/envoy/config/endpoint/v3/endpoint_pb";
import { ListenerSchema } from "@weft/xds/gen/envoy/config/listener/v3/listener_pb";
import { RouteConfigurationSchema } from "@weft/xds/gen/envoy/config/route/v3/route_pb";
import { SecretSchema } from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb";
import { typeUrl } from "@weft/xds/type-url";
import type { LiveConfig } from "../live-config.ts";
import type { TlsContexts, TrustMaterial } from "../tls-contexts.ts";
import type { Held } from "../warming.ts";
import type { KeptResource } from "./kept-format.ts";

/**
 * What management servers gave and this proxy accepted, in the order in which
 * it can be given again: the newest version of each resource, in force or
 * warming. Of the secrets only trust bundles: a key stays where it was made.
 */
export function* acceptedResources(live: LiveConfig, tls: TlsContexts): Iterable<KeptResource> {
  for (const [key, secret] of tls.secrets()) {
    const [source, name] = splitKey(key);
    if (secret.kind !== "trust" || !(source === "ads" || source.startsWith("grpc:"))) continue;
    const body = toBinary(SecretSchema, trustSecret(name, secret.trust));
    yield { type: typeUrl.secret, source, name, version: "", body };
  }
  const adsResource = (
    type: string,
    schema: DescMessage,
    name: string,
    { message, version }: { readonly message: Message; readonly version: string },
  ): KeptResource => ({ type, source: "ads", name, version, body: toBinary(schema, message) });
  for (const held of live.clusters.newest()) {
    if (!held.isStatic) yield adsResource(typeUrl.cluster, ClusterSchema, held.plan.name, held);
  }
  for (const [name, held] of live.endpoints) {
    yield adsResource(typeUrl.endpoint, ClusterLoadAssignmentSchema, name, held);
  }
  for (const held of live.listeners.newest()) {
    if (!held.isStatic) yield adsResource(typeUrl.listener, ListenerSchema, held.plan.name, held);
  }
  for (const [name, held] of live.routes) {
    yield adsResource(typeUrl.route, RouteConfigurationSchema, name, held);
  }
}

/** Versions of the accepted resources of the ADS server, by type and name: what a delta client says it holds. */
export function acceptedVersions(live: LiveConfig): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const versions = <V extends { readonly version: string }>(held: Iterable<readonly [string, V]>) =>
    new Map(Array.from(held, ([name, { version }]) => [name, version]));
  const dynamic = (newest: Iterable<Held<{ readonly name: string }>>) =>
    versions([...newest].filter((held) => !held.isStatic).map((held) => [held.plan.name, held] as const));
  return new Map([
    [typeUrl.cluster, dynamic(live.clusters.newest())],
    [typeUrl.endpoint, versions(live.endpoints)],
    [typeUrl.listener, dynamic(live.listeners.newest())],
    [typeUrl.route, versions(live.routes)],
  ]);
}

function splitKey(key: string): readonly [source: string, name: string] {
  const space = key.indexOf(" ");
  return [key.slice(0, space), key.slice(space + 1)];
}

function trustSecret(name: string, { ca, crl }: TrustMaterial) {
  return create(SecretSchema, {
    name,
    type: {
      case: "validationContext",
      value: { trustedCa: inline(ca), ...(crl ? { crl: inline(crl) } : {}) },
    },
  });
}

function inline(bytes: Buffer) {
  return { specifier: { case: "inlineBytes" as const, value: new Uint8Array(bytes) } };
}
