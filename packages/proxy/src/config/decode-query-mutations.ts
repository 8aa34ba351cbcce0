import { messageOf } from "@weft/base/errors";
import {
  KeyValueAppend_KeyValueAppendAction as Action,
  type KeyValueMutation,
} from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import {
  hasParameter,
  type Parameter,
  parameterOf,
  parseQuery,
  withoutParameter,
  withParameter,
  withQuery,
} from "../filters/query-parameters.ts";
import type { Exchange } from "../layer/exchange.ts";
import type { HeaderValue } from "../route/header-edits.ts";
import type { DecodeContext } from "./decode-context.ts";
import { at } from "./issues.ts";

type QueryMutator = (parameters: readonly Parameter[], exchange: Exchange) => readonly Parameter[];

/** Edits of a query, in order; undefined when there are none. Names are compared decoded, values are set encoded. */
export function decodeQueryMutations(
  mutations: readonly KeyValueMutation[],
  path: string,
  context: DecodeContext,
): ((path: string, exchange: Exchange) => string) | undefined {
  if (mutations.length === 0) return undefined;
  const mutators = mutations.map((mutation, i) => decodeMutation(mutation, `${path}[${i}]`, context));
  return (whole, exchange) => {
    let parameters = parseQuery(whole);
    for (const mutate of mutators) parameters = mutate(parameters, exchange);
    return withQuery(whole, parameters);
  };
}

function decodeMutation(
  { remove, append }: KeyValueMutation,
  path: string,
  { issues, factories }: DecodeContext,
): QueryMutator {
  if (remove !== "" && append) issues.add(path, "has both `remove` and `append`", "keep one of them");
  if (remove !== "") return (parameters) => withoutParameter(parameters, remove);
  const key = append?.record?.key ?? append?.entry?.key ?? "";
  if (!append || key === "") {
    issues.add(path, "needs `remove`, or `append` with a key");
    return (parameters) => parameters;
  }
  const place = at(path, append.record ? "append.record.value" : "append.entry.value");
  let value: HeaderValue = "";
  const kind = append.record?.value?.kind;
  const text = append.record
    ? kind?.case === "stringValue"
      ? kind.value
      : undefined
    : Buffer.from(append.entry?.value ?? []).toString("utf8");
  if (text === undefined) issues.add(place, "is not text", "a query parameter takes a string");
  try {
    value = factories.headerValue(text ?? "");
  } catch (error) {
    issues.add(place, messageOf(error), "write a literal % as %%");
  }
  return (parameters, exchange) => {
    const filled = typeof value === "string" ? value : value(exchange);
    const isPresent = hasParameter(parameters, key);
    switch (append.action) {
      case Action.APPEND_IF_EXISTS_OR_ADD:
        return [...parameters, parameterOf(key, filled)];
      case Action.ADD_IF_ABSENT:
        return isPresent ? parameters : [...parameters, parameterOf(key, filled)];
      case Action.OVERWRITE_IF_EXISTS:
        return isPresent ? withParameter(parameters, key, filled) : parameters;
      case Action.OVERWRITE_IF_EXISTS_OR_ADD:
        return withParameter(parameters, key, filled);
    }
  };
}
