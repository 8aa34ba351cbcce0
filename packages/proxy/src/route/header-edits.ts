import type { Exchange } from "../layer/exchange.ts";
import type { HeaderList } from "../layer/header-list.ts";
import type { AppendAction } from "./append-action.ts";

/** A header value: a constant, or one with command operators filled in per request. */
export type HeaderValue = string | ((exchange: Exchange) => string);

export interface HeaderEdit {
  readonly name: string;
  readonly value: HeaderValue;
  readonly action: AppendAction;
  readonly keepEmptyValue: boolean;
}

/** What one level of the configuration does; made by `oneLevel`. */
interface EditLevel {
  readonly remove: readonly string[];
  readonly add: readonly HeaderEdit[];
  /** Some edit could see another of this level. */
  readonly isEntangled: boolean;
}

/** Edits, level by level: each level's values are made of what the levels before it left. */
export type HeaderEdits = readonly EditLevel[];

/**
 * One level's edits: removals come before overwrites, those before additions,
 * wherever they stand, and values and conditions see none but the removals.
 */
export function oneLevel(remove: readonly string[], add: readonly HeaderEdit[]): HeaderEdits {
  const overwrites = ({ action }: HeaderEdit) => action.startsWith("overwrite");
  const looks = ({ action, value }: HeaderEdit) =>
    typeof value !== "string" || action === "add-if-absent" || action === "overwrite-if-exists";
  return [
    {
      remove: remove.map((name) => name.toLowerCase()),
      add: [...add.filter(overwrites), ...add.filter((one) => !overwrites(one))],
      isEntangled: add.length > 1 && add.some(looks),
    },
  ];
}

export function applyHeaderEdits(edits: HeaderEdits, headers: HeaderList, exchange: Exchange): void {
  for (const { remove, add, isEntangled } of edits) {
    for (const name of remove) headers.remove(name);
    if (isEntangled) {
      const values = add.map((edit) => valueFor(edit, headers, exchange));
      for (let i = 0; i < add.length; i++) put(add[i]!, values[i], headers);
    } else for (const edit of add) put(edit, valueFor(edit, headers, exchange), headers);
  }
}

/** Undefined where the edit does nothing. */
function valueFor(
  { name, value, action, keepEmptyValue }: HeaderEdit,
  headers: HeaderList,
  exchange: Exchange,
): string | undefined {
  if (action === "add-if-absent" && headers.has(name)) return undefined;
  if (action === "overwrite-if-exists" && !headers.has(name)) return undefined;
  const made = typeof value === "string" ? value : value(exchange);
  return made === "" && !keepEmptyValue ? undefined : made;
}

function put({ name, action }: HeaderEdit, value: string | undefined, headers: HeaderList): void {
  if (value === undefined) return;
  if (action === "overwrite-or-add" || action === "overwrite-if-exists") headers.remove(name);
  headers.append(name, value);
}
