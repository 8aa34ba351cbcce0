import type { HeaderList } from "./header-list.ts";

/**
 * What is done about field names with underscores, which some servers read as
 * dashes: pass them, refuse the request, or leave the fields out.
 *
 * @see envoy.config.core.v3.HttpProtocolOptions.HeadersWithUnderscoresAction
 */
export type UnderscoreAction = "allow" | "reject" | "drop";

/** Drops what is to be dropped; false when the message is to be refused. */
export function checkUnderscores(headers: HeaderList, action: UnderscoreAction): boolean {
  if (action === "allow") return true;
  const before = headers.flat.length;
  headers.removeWhere((name) => name.includes("_"));
  return action === "drop" || headers.flat.length === before;
}
