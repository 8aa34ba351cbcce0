import type { Exchange } from "./exchange.ts";

/** Writes one line for each completed exchange; never blocks and never throws. */
export interface AccessLog {
  log(exchange: Exchange): void;
}
