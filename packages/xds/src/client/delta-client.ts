import { create, fromBinary } from "@bufbuild/protobuf";
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
} from "../gen/envoy/service/discovery/v3/discovery_pb.js";
import type { ReceivedResource } from "./ads-handler.ts";
import {
  type ClientProtocol,
  errorDetail,
  type Heartbeat,
  type OutgoingRequest,
  ttlOf,
  typeProblem,
} from "./client-protocol.ts";

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
    let problem: string | undefined;
    for (const { name, version, resource, ttl } of response.resources) {
      const { ttlMs } = ttlOf(ttl);
      if (!resource && ttlMs !== undefined) {
        heartbeats.push({ name, version, ttlMs });
        continue;
      }
      problem ??= typeProblem(resource, response.typeUrl, name);
      if (resource) resources.push({ name, version, body: resource.value, ...ttlOf(ttl) });
    }
    return {
      typeUrl: response.typeUrl,
      nonce: response.nonce,
      version: response.systemVersionInfo,
      resources,
      removed: response.removedResources,
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
