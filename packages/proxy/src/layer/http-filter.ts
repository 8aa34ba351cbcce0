import type { Exchange } from "./exchange.ts";
import type { FilterExchange } from "./filter-exchange.ts";

/**
 * What a filter decided: go on to the next, or stop here because it has
 * answered (`exchange.reply`) or will call `exchange.resume()` later.
 */
export type FilterStatus = "continue" | "stop";

/**
 * One step of the request path. A filter object is built once per listener and
 * holds configuration only; what it must remember of a request it keeps in
 * `exchange.filterState`, or in the stage it adds to a body.
 */
export interface HttpFilter {
  /** The name it has in its chain; per-route configuration is looked up by it. */
  readonly name: string;
  /** Left out unless the route asks for it (`HttpFilter.disabled`). */
  readonly isDisabled?: boolean;
  onRequest?(exchange: FilterExchange): FilterStatus;
  /**
   * The response head is about to be sent; may edit `exchange.response`. Runs in
   * reverse order. `end`: there is no body. A filter that answers "stop" calls
   * `exchange.resumeResponse()` later, or replies in its place.
   */
  onResponse?(exchange: FilterExchange, end: boolean): FilterStatus;
  /**
   * A listener with this filter has been put in force. The function given back
   * is called when it is no longer: only exchanges under way still come.
   */
  onListening?(): () => void;
  /** The exchange is over, whichever way; runs before access logs. */
  onComplete?(exchange: Exchange): void;
}
