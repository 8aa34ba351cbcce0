import type { Message } from "@bufbuild/protobuf";
import { type StringValue, StringValueSchema } from "@bufbuild/protobuf/wkt";
import type { Listener } from "@weft/xds/gen/envoy/config/listener/v3/listener_pb";
import type { FilterChainChoice } from "../listener/listener-plan.ts";
import {
  applicationProtocolInput,
  serverNameInput,
  transportProtocolInput,
} from "../matching/match-inputs.ts";
import type { MatchInput } from "../matching/match-tree.ts";
import { decodeMatchTree } from "./decode-match-tree.ts";
import { at, type Issues } from "./issues.ts";

/** What is known only once the client has sent something. */
const inspected: ReadonlySet<MatchInput> = new Set([
  serverNameInput,
  transportProtocolInput,
  applicationProtocolInput,
]);

/**
 * The matcher that names the filter chain of a connection; undefined where the
 * chains' own matches decide.
 *
 * @see envoy.config.listener.v3.Listener.filter_chain_matcher
 */
export function decodeChainChoice(
  { filterChainMatcher: matcher, filterChains }: Listener,
  path: string,
  issues: Issues,
): FilterChainChoice | undefined {
  if (!matcher) return undefined;
  const names = new Set<string>();
  filterChains.forEach(({ name, filterChainMatch }, i) => {
    const place = `${at(path, "filter_chains")}[${i}]`;
    if (name === "") issues.add(at(place, "name"), "is empty", "the matcher chooses chains by their names");
    else if (names.has(name)) issues.add(at(place, "name"), `'${name}' is taken by another chain`);
    names.add(name);
    if (filterChainMatch) {
      issues.add(at(place, "filter_chain_match"), "is not asked beside `filter_chain_matcher`", "remove it");
    }
  });
  const decodeAction = (message: Message, place: string): string | undefined => {
    const { value } = message as StringValue;
    if (message.$typeName !== StringValueSchema.typeName) {
      issues.add(place, `${message.$typeName} names no filter chain`, "use google.protobuf.StringValue");
    } else if (!names.has(value)) issues.add(at(place, "value"), `there is no filter chain '${value}'`);
    return value;
  };
  const inputs = new Set<MatchInput>();
  const where = at(path, "filter_chain_matcher");
  const find = decodeMatchTree(matcher, where, { subject: "listener", decodeAction, issues, inputs });
  return { find, needsInspection: [...inputs].some((input) => inspected.has(input)) };
}
