import type { UpstreamEndpoint } from "./upstream-endpoint.ts";

/**
 * What stands for an endpoint where endpoints are hashed, one byte in each unit:
 * `hash_key` of its `envoy.lb` metadata, or its host name or its address.
 */
export function hashKeyOf(host: UpstreamEndpoint, usesHostname: boolean): string {
  const own = host.plan.metadata.get("envoy.lb")?.get("hash_key");
  const key = own ?? (usesHostname ? host.plan.hostname : host.addressText);
  return Buffer.from(key, "utf8").toString("latin1");
}
