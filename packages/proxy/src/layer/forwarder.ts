import type { RouterPlan } from "../filters/router-plan.ts";
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
 * Takes over once every filter has said "continue": sends the request upstream
 * or answers it. Returns undefined when it has answered already.
 */
export interface Forwarder {
  forward(exchange: HttpExchange, plan: RouterPlan): UpstreamCall | undefined;
}
