import { messageOf } from "@weft/base/errors";
import {
  KeyValueAppend_KeyValueAppendAction as Action,
  type KeyValueMutation,
} from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import type { Exchange } from "../layer/exchange.ts";
import type { HeaderValue } from "../route/header-edits.ts";
import type { DecodeContext } from "./decode-context.ts";
import { at } from "./issues.ts";

/** Name and value, as written in the path: nothing is decoded that is not changed. */
type Parameter = [name: string, value: string | undefined];
type QueryMutator = (parameters: Parameter[], exchange: Exchange) => Parameter[];

/** Edits of a query, in order; undefined when there are none. Names are compared decoded, values are set encoded. */
export function decodeQueryMutations(
  mutations: readonly KeyValueMutation[],
  path: string,
  context: DecodeContext,
): ((path: string, exchange: Exchange) => string) | undefined {
  if (mutations.length === 0) return undefined;
  const mutators = mutations.map((mutation, i) => decodeMutation(mutation, `${path}[${i}]`, context));
  return (whole, exchange) => {
    const mark = whole.indexOf("?");
    let parameters = parseQuery(mark < 0 ? "" : whole.slice(mark + 1));
    for (const mutate of mutators) parameters = mutate(parameters, exchange);
    const query = parameters
      .map(([name, value]) => (value === undefined ? name : `${name}=${value}`))
      .join("&");
    const base = mark < 0 ? whole : whole.slice(0, mark);
    return query === "" ? base : `${base}?${query}`;
  };
}

function decodeMutation(
  { remove, append }: KeyValueMutation,
  path: string,
  { issues, factories }: DecodeContext,
): QueryMutator {
  if (remove !== "" && append) issues.add(path, "has both `remove` and `append`", "keep one of them");
  if (remove !== "") return (parameters) => parameters.filter(([name]) => decoded(name) !== remove);
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
    const filled = encodeURIComponent(typeof value === "string" ? value : value(exchange));
    const isPresent = parameters.some(([name]) => decoded(name) === key);
    const added: Parameter = [encodeURIComponent(key), filled];
    switch (append.action) {
      case Action.APPEND_IF_EXISTS_OR_ADD:
        return [...parameters, added];
      case Action.ADD_IF_ABSENT:
        return isPresent ? parameters : [...parameters, added];
      case Action.OVERWRITE_IF_EXISTS:
        return isPresent ? overwritten(parameters, key, added) : parameters;
      case Action.OVERWRITE_IF_EXISTS_OR_ADD:
        return isPresent ? overwritten(parameters, key, added) : [...parameters, added];
    }
  };
}

/** One parameter in place of the first called `key`; the others of that name are gone. */
function overwritten(parameters: readonly Parameter[], key: string, added: Parameter): Parameter[] {
  const first = parameters.findIndex(([name]) => decoded(name) === key);
  return parameters.flatMap((parameter, i) => {
    if (i === first) return [added];
    return decoded(parameter[0]) === key ? [] : [parameter];
  });
}

function parseQuery(query: string): Parameter[] {
  if (query === "") return [];
  return query.split("&").map((part) => {
    const equals = part.indexOf("=");
    return equals < 0 ? [part, undefined] : [part.slice(0, equals), part.slice(equals + 1)];
  });
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
