import type { HeaderMutation } from "@weft/xds/gen/envoy/config/common/mutation_rules/v3/mutation_rules_pb";
import {
  HeaderMutationPerRouteSchema,
  HeaderMutationSchema,
  type Mutations as MutationsMessage,
} from "@weft/xds/gen/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb";
import {
  createHeaderMutationFilter,
  type HeaderMutator,
  type Mutations,
} from "../../filters/header-mutation.ts";
import type { HeaderList } from "../../layer/header-list.ts";
import { applyHeaderEdits } from "../../route/header-edits.ts";
import type { DecodeContext } from "../decode-context.ts";
import { decodeHeaderEdit, refuseProtected } from "../decode-header-edits.ts";
import { decodeQueryMutations } from "../decode-query-mutations.ts";
import { decodeStringMatcher } from "../decode-values.ts";
import { at } from "../issues.ts";
import { httpFilterType, routeConfigType } from "./http-filter-type.ts";

export const headerMutationFilter = httpFilterType(
  HeaderMutationSchema,
  ({ mutations, mostSpecificHeaderMutationsWins }, { name, path }, context) => {
    const own = mutations && decodeMutations(mutations, at(path, "mutations"), context);
    return createHeaderMutationFilter(own, mostSpecificHeaderMutationsWins, name);
  },
  routeConfigType(
    HeaderMutationPerRouteSchema,
    ({ mutations }, path, context) => decodeMutations(mutations, at(path, "mutations"), context),
    true,
  ),
);

function decodeMutations(
  mutations: MutationsMessage | undefined,
  path: string,
  context: DecodeContext,
): Mutations {
  const decode = (list: readonly HeaderMutation[] | undefined, field: string) =>
    decodeHeaderMutations(list ?? [], at(path, field), context);
  return {
    request: decode(mutations?.requestMutations, "request_mutations"),
    requestTrailers: decode(mutations?.requestTrailersMutations, "request_trailers_mutations"),
    response: decode(mutations?.responseMutations, "response_mutations"),
    responseTrailers: decode(mutations?.responseTrailersMutations, "response_trailers_mutations"),
    query: decodeQueryMutations(
      mutations?.queryParameterMutations ?? [],
      at(path, "query_parameter_mutations"),
      context,
    ),
  };
}

function decodeHeaderMutations(
  list: readonly HeaderMutation[],
  path: string,
  context: DecodeContext,
): HeaderMutator | undefined {
  if (list.length === 0) return undefined;
  const mutators = list.map((mutation, i) => decodeMutation(mutation, `${path}[${i}]`, context));
  return (headers, exchange) => {
    for (const mutate of mutators) mutate(headers, exchange);
  };
}

function decodeMutation({ action }: HeaderMutation, path: string, context: DecodeContext): HeaderMutator {
  switch (action.case) {
    case "remove": {
      const name = action.value.toLowerCase();
      refuseProtected(name, at(path, "remove"), context);
      return (headers) => headers.remove(name);
    }
    case "append": {
      const edits = { remove: [], add: [decodeHeaderEdit(action.value, at(path, "append"), context)] };
      return (headers, exchange) => applyHeaderEdits(edits, headers, exchange);
    }
    case "removeOnMatch": {
      const place = at(path, "remove_on_match.key_matcher");
      const matches = decodeStringMatcher(action.value.keyMatcher, place, context.issues);
      return (headers) => removeMatching(headers, matches);
    }
    default:
      context.issues.add(path, "needs one of `append`, `remove`, `remove_on_match`");
      return () => {};
  }
}

function removeMatching(headers: HeaderList, matches: (name: string) => boolean): void {
  const { flat } = headers;
  for (let i = flat.length - 2; i >= 0; i -= 2) if (matches(flat[i]!)) flat.splice(i, 2);
}
