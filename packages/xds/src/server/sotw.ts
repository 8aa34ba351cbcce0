import { DiscoveryRequestSchema } from "../gen/envoy/service/discovery/v3/discovery_pb.js";
import { decodeRequest } from "../grpc/grpc-route.ts";
import type { XdsResource } from "../snapshot.ts";
import { isWholeInSotw, isWildcardByDefault } from "../type-url.ts";
import { type AdsProtocol, errorText } from "./protocol.ts";
import { type EncodedParts, encodeSotwResponse } from "./resource-encoding.ts";
import type { TypeState } from "./type-state.ts";

/** State of the world: every request repeats all names, a response of a whole type all resources. */
export const sotw: AdsProtocol = {
  name: "sotw",

  parse(bytes) {
    const request = decodeRequest(DiscoveryRequestSchema, bytes);
    return {
      node: request.node,
      typeUrl: request.typeUrl,
      responseNonce: request.responseNonce,
      error: errorText(request.errorDetail),
      names: request.resourceNames,
      subscribe(state, isFirst) {
        const names = new Set(request.resourceNames);
        const hasStar = names.delete("*");
        // Once a client has given names, an empty list means none; until then it means all.
        const isSilent = names.size === 0 && !hasStar;
        const isLegacyWildcard =
          isSilent && (isFirst ? isWildcardByDefault(state.typeUrl) : state.isLegacyWildcard);
        // Silence cannot end a wildcard that silence began: a client that says "*" then begins anew.
        if (hasStar && state.isLegacyWildcard) state.restart();
        state.isLegacyWildcard = isLegacyWildcard;
        for (const name of state.names) if (!names.has(name)) state.unsubscribe(name);
        for (const name of names) if (!state.names.has(name)) state.subscribe(name, false);
        state.setWildcard(hasStar || isLegacyWildcard);
      },
    };
  },

  respond(state, phase, version, nonce) {
    if (isWholeInSotw(state.typeUrl)) return respondWhole(state, phase, version, nonce);
    const { typeUrl } = state;
    const isAnswer = phase !== "remove" && (state.owesAnswer || state.toSend.size > 0);
    // There is no way to take a part back: it ends with whatever refers to it.
    if (phase !== "update") state.markRemoved();
    if (!isAnswer) return undefined;
    const response = encodeSotwResponse({ typeUrl, version, nonce, resources: state.toSend.values() });
    state.markSent();
    return response;
  },
};

function respondWhole(
  state: TypeState,
  phase: "update" | "remove" | "both",
  version: string,
  nonce: string,
): EncodedParts | undefined {
  const { typeUrl } = state;
  const hasUpdates = phase !== "remove" && (state.owesAnswer || state.toSend.size > 0);
  const hasRemovals = phase !== "update" && state.toRemove.size > 0;
  if (!hasUpdates && !hasRemovals) return undefined;
  // Leaving something out removes it: until its turn has come it is repeated as it was.
  const kept = phase === "update" ? keptResources(state) : [];
  const resources = [...state.wanted(), ...kept];
  const response = encodeSotwResponse({ typeUrl, version, nonce, resources });
  state.markSent();
  if (phase !== "update" || kept.length === 0) state.markRemoved();
  return response;
}

function keptResources(state: TypeState): readonly XdsResource[] {
  return [...state.toRemove.values()].filter((resource) => resource !== undefined);
}
