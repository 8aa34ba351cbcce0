import { counterNames } from "./nft-rules.ts";

/** What the rules have counted since they are in force. */
export interface InterceptionCounters {
  /** Flows that left without passing the sidecar. */
  readonly passedBy: number;
  /** Packets from outside that were dropped, as the sidecar cannot carry them. */
  readonly keptOut: number;
}

/** Reads what `nft -j list counters` prints. @throws when it is not that */
export function parseCounters(text: string): InterceptionCounters {
  const { nftables } = JSON.parse(text) as {
    readonly nftables: readonly { readonly counter?: { readonly name: string; readonly packets: number } }[];
  };
  const packetsOf = (name: string) =>
    nftables.find(({ counter }) => counter?.name === name)?.counter?.packets ?? 0;
  return { passedBy: packetsOf(counterNames.passedBy), keptOut: packetsOf(counterNames.keptOut) };
}
