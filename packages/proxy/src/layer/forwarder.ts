import type { RouterPlan } from "../filters/router-plan.ts";
import type { ForwardAction } from "../route/route-plan.ts";
import type { HeaderList } from "./header-list.ts";
import type { HttpExchange } from "./http-exchange.ts";

/** The upstream half of an exchange in progress. */
export interface UpstreamCall {
  onRequestData(chunk: Buffer, end: boolean): void;
  onRequestTrailers(trailers: HeaderList): void;
  /** The downstream buffer has room again. */
  onResponseWritable(): void;
  /** The exchange ended for another reason: give everything back. */
  cancel(): void;
}

/**
 * Chooses the cluster when the route is known, so that logs and metrics can name
 * it even when a filter answers the request. Takes over once every filter has said "continue": sends the request upstream
 * or answers it. Returns undefined when it has answered already.
 */
export interface Forwarder {
  choose(exchange: HttpExchange, action: ForwardAction): void;
  forward(exchange: HttpExchange, plan: RouterPlan): UpstreamCall | undefined;
}
