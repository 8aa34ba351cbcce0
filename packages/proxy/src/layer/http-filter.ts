import type { Exchange } from "./exchange.ts";

/**
 * What a filter decided: go on to the next, or stop here because it has
 * answered (`exchange.reply`) or will call `exchange.resume()` later.
 */
export type FilterStatus = "continue" | "stop";

/**
 * One step of the request path. A filter object is built once per listener and
 * holds configuration only; what it must remember of a request it keeps in
 * `exchange.filterState`.
 */
export interface HttpFilter {
  /** Envoy's filter name, e.g. `envoy.filters.http.rbac`; per-route configuration is looked up by it. */
  readonly name: string;
  onRequest?(exchange: Exchange): FilterStatus;
  /** The response head is about to be sent; may edit `exchange.response`. Runs in reverse order. */
  onResponse?(exchange: Exchange): void;
  /** The exchange is over, whichever way; runs before access logs. */
  onComplete?(exchange: Exchange): void;
}
