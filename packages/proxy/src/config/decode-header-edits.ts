import {
  HeaderValueOption_HeaderAppendAction as Action,
  type HeaderValueOption,
} from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import type { AppendAction } from "../route/append-action.ts";
import { type HeaderEdit, type HeaderEdits, oneLevel } from "../route/header-edits.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeHeaderValue } from "./decode-values.ts";
import { at } from "./issues.ts";

export const headerActions: Readonly<Record<Action, AppendAction>> = {
  [Action.APPEND_IF_EXISTS_OR_ADD]: "append-or-add",
  [Action.ADD_IF_ABSENT]: "add-if-absent",
  [Action.OVERWRITE_IF_EXISTS_OR_ADD]: "overwrite-or-add",
  [Action.OVERWRITE_IF_EXISTS]: "overwrite-if-exists",
};

/** Decodes one level's edits of requests or responses; undefined when there are none. */
export function decodeHeaderEdits(
  add: readonly HeaderValueOption[],
  remove: readonly string[],
  path: string,
  direction: "request" | "response",
  context: DecodeContext,
): HeaderEdits | undefined {
  if (add.length === 0 && remove.length === 0) return undefined;
  remove.forEach((name, i) => {
    refuseProtected(name, `${at(path, `${direction}_headers_to_remove`)}[${i}]`, context);
  });
  const edits = add.map((option, i) =>
    decodeHeaderEdit(option, `${at(path, `${direction}_headers_to_add`)}[${i}]`, context),
  );
  return oneLevel(remove, edits);
}

/** One field to add; its value may hold command operators. */
export function decodeHeaderEdit(
  option: HeaderValueOption,
  path: string,
  context: DecodeContext,
): HeaderEdit {
  const name = option.header?.key.toLowerCase() ?? "";
  refuseProtected(name, at(path, "header.key"), context);
  const value = decodeHeaderValue(option.header?.value ?? "", at(path, "header.value"), context);
  const appends = option.append ?? undefined;
  const action =
    appends === undefined
      ? headerActions[option.appendAction]
      : appends
        ? "append-or-add"
        : "overwrite-or-add";
  return { name, value, action, keepEmptyValue: option.keepEmptyValue };
}

/** Reports what no edit may touch: pseudo-headers, the host, and what is not a header's name. */
export function refuseProtected(name: string, path: string, { issues }: DecodeContext): void {
  if (name === "") issues.add(path, "is empty", "name a header");
  else if (name.startsWith(":") || name.toLowerCase() === "host") {
    issues.add(path, `\`${name}\` cannot be edited`, "use the route's rewrites for path and host");
  } else if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name)) {
    issues.add(path, `${JSON.stringify(name)} is not a header name`);
  }
}

/** The levels of `first`, then those of `second`. */
export function joinEdits(
  first: HeaderEdits | undefined,
  second: HeaderEdits | undefined,
): HeaderEdits | undefined {
  return first && second ? [...first, ...second] : (first ?? second);
}
