import { isWildcardByDefault } from "../type-url.ts";
import { decodeDeltaRequest } from "./delta-request.ts";
import { type AdsProtocol, errorText } from "./protocol.ts";
import { encodeDeltaResponse } from "./resource-encoding.ts";

/** Incremental xDS: a client says what it holds and hears only what differs. */
export const delta: AdsProtocol = {
  name: "delta",

  parse(bytes) {
    const request = decodeDeltaRequest(bytes);
    return {
      node: request.node,
      typeUrl: request.typeUrl,
      responseNonce: request.responseNonce,
      error: errorText(request.errorDetail),
      names: request.resourceNamesSubscribe,
      subscribe(state, isFirst) {
        const held = request.initialResourceVersions;
        if (isFirst) {
          if (held.size > 0) state.hold(held);
          const isSilent = request.resourceNamesSubscribe.length === 0;
          if (isSilent && isWildcardByDefault(state.typeUrl)) state.setWildcard(true);
        }
        for (const name of request.resourceNamesSubscribe) {
          if (name === "*") state.setWildcard(true);
          else state.subscribe(name, isFirst && held.has(name));
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
