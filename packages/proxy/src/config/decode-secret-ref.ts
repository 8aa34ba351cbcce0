import type { SdsSecretConfig } from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb";
import { decodeConfigSource } from "./config-source.ts";
import type { DecodeContext } from "./decode-context.ts";
import { at } from "./issues.ts";
import { sourcedKey } from "./sourced-name.ts";
import type { SecretRef } from "./tls-contexts.ts";

/** Where a secret comes from; the listener or cluster is told to wait for it. */
export function decodeSecretRef(
  config: SdsSecretConfig,
  path: string,
  context: DecodeContext,
): SecretRef | undefined {
  if (config.name === "") {
    context.issues.add(at(path, "name"), "is empty", "name the secret");
    return undefined;
  }
  const chosen = config.sdsConfig && decodeConfigSource(config.sdsConfig, at(path, "sds_config"), context);
  if (config.sdsConfig && !chosen) return undefined;
  const source = chosen?.source ?? "static";
  const ref = { source, name: config.name };
  const key = sourcedKey(ref);
  if (source === "static" && !context.tls.has(key)) {
    context.issues.add(
      path,
      `unknown static secret '${config.name}'`,
      "define it under static_resources.secrets",
    );
    return undefined;
  }
  context.needs.secrets.add(key);
  if (chosen) context.needs.fetchTimeoutsMs.add(chosen.fetchTimeoutMs);
  return ref;
}
