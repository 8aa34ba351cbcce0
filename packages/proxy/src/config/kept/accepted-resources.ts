import { create, toBinary } from "@bufbuild/protobuf";
import { SecretSchema } from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb";
import { typeUrl } from "@weft/xds/type-url";
import type { OnDemandResources } from "../../layer/resource-discovery.ts";
import type { BootstrapPlan } from "../bootstrap.ts";
import type { LiveConfig } from "../live-config.ts";
import { parseSourcedKey, type SourcedName } from "../sourced-name.ts";
import type { TlsContexts, TrustMaterial } from "../tls-contexts.ts";
import { validationContext } from "../validation-context.ts";
import type { WrittenMessage } from "../written-message.ts";
import { type KeptResource, wantedClusterType } from "./kept-format.ts";

/**
 * What management servers gave and this proxy accepted, in the order in which
 * it can be given again: the newest version of each resource, in force or
 * warming. Of the secrets only trust bundles: a key stays where it was made.
 */
export function* acceptedResources(
  live: LiveConfig,
  tls: TlsContexts,
  { cds, lds }: Pick<BootstrapPlan, "cds" | "lds">,
  wanted: OnDemandResources["wanted"],
): Iterable<KeptResource> {
  for (const [key, secret] of tls.secrets()) {
    const { source, name } = parseSourcedKey(key);
    if (secret.kind !== "trust" || !isServer(source)) continue;
    const body = toBinary(SecretSchema, trustSecret(name, secret.trust));
    yield { type: typeUrl.secret, source, name, version: "", body };
  }
  if (cds && isServer(cds.source)) {
    for (const held of live.clusters.newest()) {
      const at = { source: cds.source, name: held.plan.name };
      if (!held.isStatic) yield keptResource(typeUrl.cluster, at, held);
    }
  }
  for (const [key, held] of live.endpoints) {
    const at = parseSourcedKey(key);
    if (isServer(at.source)) yield keptResource(typeUrl.endpoint, at, held);
  }
  if (lds && isServer(lds.source)) {
    for (const held of live.listeners.newest()) {
      const at = { source: lds.source, name: held.plan.name };
      if (!held.isStatic) yield keptResource(typeUrl.listener, at, held);
    }
  }
  for (const [key, held] of live.routes) {
    const at = parseSourcedKey(key);
    if (isServer(at.source)) yield keptResource(typeUrl.route, at, held);
  }
  for (const { source, resource } of live.virtualHosts.held()) {
    const { name, version, body } = resource;
    if (isServer(source)) yield { type: typeUrl.virtualHost, source, name, version, body };
  }
  yield* wantedClusters(live, wanted);
}

/** Clusters that requests have asked for by name, and that there were. */
function* wantedClusters(live: LiveConfig, wanted: OnDemandResources["wanted"]): Iterable<KeptResource> {
  for (const [source, names] of wanted) {
    if (!isServer(source)) continue;
    for (const name of names) {
      if (live.clusters.latest(name)) {
        yield { type: wantedClusterType, source, name, version: "", body: new Uint8Array() };
      }
    }
  }
}

/** What a file or the bootstrap says is on disk already. */
function isServer(source: string): boolean {
  return source === "ads" || source.startsWith("grpc:");
}

function keptResource(
  type: string,
  at: SourcedName,
  { written, version }: { readonly written: WrittenMessage; readonly version: string },
): KeptResource {
  return { type, ...at, version, body: written.bytes };
}

function trustSecret(name: string, trust: TrustMaterial) {
  return create(SecretSchema, { name, type: { case: "validationContext", value: validationContext(trust) } });
}
