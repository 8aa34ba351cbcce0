import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  RouteAction_HashPolicy as RouteHashPolicy,
  RouteAction_HashPolicySchema as RouteHashPolicySchema,
} from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import type { HashKey } from "../model/balancer.ts";
import { duration } from "./messages.ts";

type RouteHash = Exclude<MessageInitShape<typeof RouteHashPolicySchema>, RouteHashPolicy>;

/**
 * What of a request decides its endpoint where a cluster hashes, once for each
 * key. As in Istio, a route to several clusters mixes the keys of all.
 */
export function routeHashPolicies(keys: readonly (HashKey | undefined)[]): RouteHash[] {
  const distinct = new Map(keys.filter((key) => key !== undefined).map((key) => [JSON.stringify(key), key]));
  return [...distinct.values()].map((key) => ({ policySpecifier: specifier(key) }));
}

function specifier(key: HashKey): NonNullable<RouteHash["policySpecifier"]> {
  switch (key.kind) {
    case "header":
      return { case: "header", value: { headerName: key.name } };
    case "query":
      return { case: "queryParameter", value: { name: key.name } };
    case "source-ip":
      return { case: "connectionProperties", value: { sourceIp: true } };
    case "cookie": {
      const { attributes, name, path, ttlMs } = key;
      const ttl = ttlMs === undefined ? {} : { ttl: duration(ttlMs) };
      return {
        case: "cookie",
        value: { name, path, ...ttl, attributes: attributes.map((attribute) => ({ ...attribute })) },
      };
    }
  }
}
