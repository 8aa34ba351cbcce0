import type { HeaderMutation } from "@weft/xds/gen/envoy/config/common/mutation_rules/v3/mutation_rules_pb";
import {
  HeaderMutationPerRouteSchema,
  HeaderMutationSchema,
  type Mutations as MutationsMessage,
} from "@weft/xds/gen/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb";
import { createHeaderMutationFilter, type Mutations } from "../../filters/header-mutation.ts";
import type { DecodeContext } from "../decode-context.ts";
import { decodeHeaderMutations } from "../decode-header-mutations.ts";
import { decodeQueryMutations } from "../decode-query-mutations.ts";
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
