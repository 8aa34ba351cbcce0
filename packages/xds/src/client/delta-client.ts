import { create, fromBinary } from "@bufbuild/protobuf";
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
} from "../gen/envoy/service/discovery/v3/discovery_pb.js";
import { typeUrl } from "../type-url.ts";
import type { ReceivedResource } from "./ads-handler.ts";
import {
  type ClientProtocol,
  errorDetail,
  type Heartbeat,
  type OutgoingRequest,
  ttlOf,
  typeProblem,
} from "./client-protocol.ts";

const virtualHostType = typeUrl.virtualHost;

/** Incremental xDS. */
export const deltaClient: ClientProtocol = {
  method: "Delta",

  first: ({ typeUrl, wireNames, held }) =>
    request({
      typeUrl,
      resourceNamesSubscribe: [...wireNames],
      initialResourceVersions: Object.fromEntries(held),
    }),

  change: ({ typeUrl, isWildcard }, { added, removed, isWildcardChanged }) =>
    request({
      typeUrl,
      resourceNamesSubscribe: isWildcardChanged && isWildcard ? [...added, "*"] : [...added],
      resourceNamesUnsubscribe: isWildcardChanged && !isWildcard ? [...removed, "*"] : [...removed],
    }),

  answer: ({ typeUrl, nonce }, error) => request({ typeUrl, responseNonce: nonce, ...errorDetail(error) }),

  report: (typeUrl, { error, names = [] }) =>
    request({ typeUrl, resourceNamesSubscribe: [...names], ...errorDetail(error) }),

  parse(bytes) {
    const response = fromBinary(DeltaDiscoveryResponseSchema, bytes);
    const resources: ReceivedResource[] = [];
    const heartbeats: Heartbeat[] = [];
    const removed = [...response.removedResources];
    let problem: string | undefined;
    for (const { name, aliases, version, resource, ttl } of response.resources) {
      const { ttlMs } = ttlOf(ttl);
      if (!resource && ttlMs !== undefined) {
        heartbeats.push({ name, version, ttlMs });
        continue;
      }
      // Of virtual hosts this is how a server says that there is none under a name.
      if (!resource && response.typeUrl === virtualHostType) {
        removed.push(name, ...aliases);
        continue;
      }
      problem ??= typeProblem(resource, response.typeUrl, name);
      const others = aliases.length > 0 ? { aliases } : {};
      if (resource) resources.push({ name, version, body: resource.value, ...others, ...ttlOf(ttl) });
    }
    return {
      typeUrl: response.typeUrl,
      nonce: response.nonce,
      version: response.systemVersionInfo,
      resources,
      removed,
      heartbeats,
      problem,
    };
  },

  updateOf: (subscription, response) => ({
    added: response.resources.filter(({ name }) => subscription.covers(name)),
    removed: response.removed.filter((name) => subscription.covers(name)),
    version: response.version,
  }),
};

function request(init: Parameters<typeof create<typeof DeltaDiscoveryRequestSchema>>[1]): OutgoingRequest {
  return { schema: DeltaDiscoveryRequestSchema, message: create(DeltaDiscoveryRequestSchema, init) };
}
