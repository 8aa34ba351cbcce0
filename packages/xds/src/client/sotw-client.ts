import { create, fromBinary } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { type Any, AnySchema } from "@bufbuild/protobuf/wkt";
import {
  DiscoveryRequestSchema,
  DiscoveryResponseSchema,
  ResourceSchema,
} from "../gen/envoy/service/discovery/v3/discovery_pb.js";
import { isWholeInSotw, typeUrl as known } from "../type-url.ts";
import type { ReceivedResource } from "./ads-handler.ts";
import {
  type ClientProtocol,
  errorDetail,
  type Heartbeat,
  type OutgoingRequest,
  ttlOf,
  typeProblem,
} from "./client-protocol.ts";
import type { Subscription } from "./subscription.ts";

/** Types whose name is their first field, a string. The others have one resource, without a name. */
const namedTypes: ReadonlySet<string> = new Set([
  known.listener,
  known.cluster,
  known.route,
  known.endpoint,
  known.secret,
]);
const wrapperType = "type.googleapis.com/envoy.service.discovery.v3.Resource";

/** State of the world. */
export const sotwClient: ClientProtocol = {
  method: "Stream",

  first: (subscription) => request(subscription, undefined),
  change: (subscription) => request(subscription, undefined),
  answer: (subscription, error) => request(subscription, error),
  report: (typeUrl, { error, names = [] }) =>
    wrap({ typeUrl, resourceNames: [...names], ...errorDetail(error) }),

  parse(bytes) {
    const response = fromBinary(DiscoveryResponseSchema, bytes);
    const resources: ReceivedResource[] = [];
    const heartbeats: Heartbeat[] = [];
    let problem: string | undefined;
    for (const any of response.resources) {
      try {
        const resource = unwrap(any, response.typeUrl);
        if ("isHeartbeat" in resource) {
          heartbeats.push(resource);
          continue;
        }
        problem ??= resource.problem;
        resources.push(resource);
      } catch {
        problem ??= `a resource of type "${any.typeUrl}" cannot be read`;
      }
    }
    const { typeUrl, nonce, versionInfo } = response;
    return { typeUrl, nonce, version: versionInfo, resources, removed: [], heartbeats, problem };
  },

  updateOf(subscription, response) {
    const present = new Set([...response.resources, ...response.heartbeats].map(({ name }) => name));
    const isWhole = isWholeInSotw(subscription.typeUrl);
    return {
      added: response.resources.filter(({ name }) => name === "" || subscription.covers(name)),
      removed: isWhole ? [...subscription.held.keys()].filter((name) => !present.has(name)) : [],
      version: response.version,
    };
  },
};

function request(subscription: Subscription, error: string | undefined): OutgoingRequest {
  const { typeUrl, wireNames, nonce, acceptedVersion } = subscription;
  return wrap({
    typeUrl,
    resourceNames: [...wireNames],
    responseNonce: nonce,
    versionInfo: acceptedVersion,
    ...errorDetail(error),
  });
}

function wrap(init: Parameters<typeof create<typeof DiscoveryRequestSchema>>[1]): OutgoingRequest {
  return { schema: DiscoveryRequestSchema, message: create(DiscoveryRequestSchema, init) };
}

type Unwrapped =
  | (ReceivedResource & { readonly problem: string | undefined })
  | (Heartbeat & { readonly isHeartbeat: true });

function unwrap(any: Any, typeUrl: string): Unwrapped {
  if (any.typeUrl !== wrapperType) {
    const name = namedTypes.has(typeUrl) ? firstString(any.value) : "";
    return { name, version: "", body: any.value, problem: typeProblem(any, typeUrl, name) };
  }
  const { name, version, resource, ttl } = fromBinary(ResourceSchema, any.value);
  const { ttlMs } = ttlOf(ttl);
  if (!resource && ttlMs !== undefined) return { name, version, ttlMs, isHeartbeat: true };
  const inner = resource ?? create(AnySchema);
  const problem = typeProblem(resource, typeUrl, name);
  return { name, version, body: inner.value, ...ttlOf(ttl), problem };
}

/** The string in field 1, without decoding the rest. */
function firstString(body: Uint8Array): string {
  const reader = new BinaryReader(body);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1 && wireType === WireType.LengthDelimited) return reader.string();
    reader.skip(wireType, field);
  }
  return "";
}
