import type { Hash64 } from "../hash/hash64.ts";
import { EdfScheduler } from "./edf-scheduler.ts";
import type { HostPicker } from "./host-picker.ts";
import type { UpstreamEndpoint } from "./upstream-endpoint.ts";

/** Spreads over localities by weight, then within the one chosen. */
export class LocalityPicker implements HostPicker {
  readonly hosts: readonly UpstreamEndpoint[];
  readonly #pickers: readonly HostPicker[];
  readonly #weights: readonly number[];
  readonly #scheduler: EdfScheduler;

  constructor(pickers: readonly HostPicker[], weights: readonly number[]) {
    this.hosts = pickers.flatMap((picker) => picker.hosts);
    this.#pickers = pickers;
    this.#weights = weights;
    this.#scheduler = new EdfScheduler(weights);
  }

  pick(hash: Hash64 | undefined, attempt: number): UpstreamEndpoint {
    const chosen = this.#scheduler.peek();
    this.#scheduler.postpone(this.#weights[chosen]!);
    return this.#pickers[chosen]!.pick(hash, attempt);
  }
}
