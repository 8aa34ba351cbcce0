import { EdfScheduler } from "./edf-scheduler.ts";
import type { HostPicker } from "./host-picker.ts";
import type { UpstreamEndpoint } from "./upstream-endpoint.ts";

/** Unequal weights: by deadline; the weight is read anew at each turn, so it may depend on load and time. */
export class ScheduledPicker implements HostPicker {
  readonly hosts: readonly UpstreamEndpoint[];
  readonly #scheduler: EdfScheduler;
  readonly #weightOf: (host: UpstreamEndpoint) => number;

  constructor(
    hosts: readonly UpstreamEndpoint[],
    random: () => number,
    weightOf: (host: UpstreamEndpoint) => number,
  ) {
    this.hosts = hosts;
    this.#weightOf = weightOf;
    this.#scheduler = new EdfScheduler(hosts.map(weightOf));
    const skipped = Math.floor(random() * hosts.length);
    for (let i = 0; i < skipped; i++) this.pick();
  }

  pick(): UpstreamEndpoint {
    const host = this.hosts[this.#scheduler.peek()]!;
    this.#scheduler.postpone(this.#weightOf(host));
    return host;
  }
}
