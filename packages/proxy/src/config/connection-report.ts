import type { AdsState } from "@weft/xds/ads-client";
import { isRefusal } from "@weft/xds/grpc/grpc-status";

/** Where it is said how connections to management servers are. */
export interface ConnectionWords {
  /** Something an operator should know of: a lost connection, a refused update. */
  warn(message: string): void;
  inform(message: string): void;
  /** What only somebody who looks for a fault wants to read. */
  debug(message: string): void;
}

/** Says once that a connection is lost, or refused, and once that it is back; the attempts between are for debugging. */
export function connectionReport(label: string, words: ConnectionWords): (state: AdsState) => void {
  let told: "nothing" | "lost" | "refused" = "nothing";
  return (state) => {
    if (state.t === "connected" && state.isAnswered) {
      if (told === "nothing") words.inform(`${label}: connected`);
      // At the level at which the loss was told.
      else words.warn(`${label}: connected again`);
      told = "nothing";
    } else if (state.t === "waiting") {
      const { code, message } = state.error;
      const what = isRefusal(code) ? "refused" : "lost";
      if (what === told) {
        words.debug(`${label}: ${message}; trying again in ${Math.round(state.retryMs)} ms`);
      } else {
        words.warn(`${label}: not connected: ${message}; trying on, what was received stays in force`);
      }
      told = what;
    }
  };
}
