import type { HeaderMutation } from "@weft/xds/gen/envoy/config/common/mutation_rules/v3/mutation_rules_pb";
import type { HeaderMutator } from "../filters/header-mutation.ts";
import { applyHeaderEdits, oneLevel } from "../route/header-edits.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeHeaderEdit, refuseProtected } from "./decode-header-edits.ts";
import { decodeStringMatcher } from "./decode-values.ts";
import { at } from "./issues.ts";

/** Decodes a list of mutations into one function; undefined where there are none. */
export function decodeHeaderMutations(
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
      const edits = oneLevel([], [decodeHeaderEdit(action.value, at(path, "append"), context)]);
      return (headers, exchange) => applyHeaderEdits(edits, headers, exchange);
    }
    case "removeOnMatch": {
      const place = at(path, "remove_on_match.key_matcher");
      const matches = decodeStringMatcher(action.value.keyMatcher, place, context.issues);
      return (headers) => headers.removeWhere(matches);
    }
    default:
      context.issues.add(path, "needs one of `append`, `remove`, `remove_on_match`");
      return () => {};
  }
}
