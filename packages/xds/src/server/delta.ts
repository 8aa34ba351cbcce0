import { DeltaDiscoveryRequestSchema } from "../gen/envoy/service/discovery/v3/discovery_pb.js";
import { decodeRequest } from "../grpc/grpc-route.ts";
import { isWildcardByDefault } from "../type-url.ts";
import { type AdsProtocol, errorText } from "./protocol.ts";
import { encodeDeltaResponse } from "./resource-encoding.ts";

/** Incremental xDS: a client says what it holds and hears only what differs. */
export const delta: AdsProtocol = {
  name: "delta",

  parse(bytes) {
    const request = decodeRequest(DeltaDiscoveryRequestSchema, bytes);
    return {
      node: request.node,
      typeUrl: request.typeUrl,
      responseNonce: request.responseNonce,
      error: errorText(request.errorDetail),
      subscribe(state, isFirst) {
        const held = request.initialResourceVersions;
        if (isFirst) {
          for (const [name, version] of Object.entries(held)) if (version) state.held.set(name, version);
          const isSilent = request.resourceNamesSubscribe.length === 0;
          if (isSilent && isWildcardByDefault(state.typeUrl)) state.setWildcard(true);
        }
        for (const name of request.resourceNamesSubscribe) {
          if (name === "*") state.setWildcard(true);
          else state.subscribe(name, isFirst && Object.hasOwn(held, name));
        }
        for (const name of request.resourceNamesUnsubscribe) {
          if (name === "*") state.setWildcard(false);
          else state.unsubscribe(name);
        }
      },
    };
  },

  respond(state, phase, version, nonce) {
    const hasUpdates = phase !== "remove" && (state.owesAnswer || state.toSend.size > 0);
    const hasRemovals = phase !== "update" && state.toRemove.size > 0;
    if (!hasUpdates && !hasRemovals) return undefined;
    const response = encodeDeltaResponse({
      typeUrl: state.typeUrl,
      version,
      nonce,
      updated: hasUpdates ? state.toSend.values() : [],
      removed: hasRemovals ? state.toRemove.keys() : [],
    });
    if (hasUpdates) state.markSent();
    if (hasRemovals) state.markRemoved();
    return response;
  },
};
