import type { Exchange } from "../layer/exchange.ts";
import type { HeaderList } from "../layer/header-list.ts";

/** A header value: a constant, or one with command operators filled in per request. */
export type HeaderValue = string | ((exchange: Exchange) => string);

/** @see envoy.config.core.v3.HeaderValueOption.HeaderAppendAction */
export type AppendAction = "append-or-add" | "add-if-absent" | "overwrite-or-add" | "overwrite-if-exists";

export interface HeaderEdit {
  readonly name: string;
  readonly value: HeaderValue;
  readonly action: AppendAction;
  readonly keepEmptyValue: boolean;
}

/** A compiled list of edits: removals are applied before additions, as in Envoy. */
export interface HeaderEdits {
  readonly remove: readonly string[];
  readonly add: readonly HeaderEdit[];
}

export function applyHeaderEdits(edits: HeaderEdits, headers: HeaderList, exchange: Exchange): void {
  for (const name of edits.remove) headers.remove(name);
  for (const edit of edits.add) {
    const value = typeof edit.value === "string" ? edit.value : edit.value(exchange);
    if (value === "" && !edit.keepEmptyValue) continue;
    switch (edit.action) {
      case "append-or-add":
        headers.append(edit.name, value);
        break;
      case "add-if-absent":
        if (!headers.has(edit.name)) headers.append(edit.name, value);
        break;
      case "overwrite-or-add":
        headers.remove(edit.name);
        headers.append(edit.name, value);
        break;
      case "overwrite-if-exists":
        if (!headers.has(edit.name)) break;
        headers.remove(edit.name);
        headers.append(edit.name, value);
        break;
    }
  }
}
