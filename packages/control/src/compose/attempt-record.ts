import type { Clock } from "@weft/base/clock";
import { actorOf } from "../api/caller.ts";
import type { Attempt } from "../api/serve-api.ts";
import { type Rate, RateLimit } from "../ca/rate-limit.ts";
import type { AuditLog } from "../store/audit-log.ts";

/** What one caller's, or one address's, refusals may add to the log, and those of everybody. */
const eachRate: Rate = { perSecond: 1, burst: 100 };
const allRate: Rate = { perSecond: 10, burst: 1_000 };

/**
 * Writes what was done and does not record itself, and what was refused, into
 * the audit log. Whoever only makes noise cannot
 * push out what matters: what is beyond the rate is counted, and the count stands
 * in the next entry.
 */
export class AttemptRecord {
  readonly #audit: Pick<AuditLog, "append">;
  readonly #clock: Clock;
  readonly #each = new RateLimit(eachRate);
  readonly #all = new RateLimit(allRate);
  #left = 0;

  constructor(audit: Pick<AuditLog, "append">, clock: Clock) {
    this.#audit = audit;
    this.#clock = clock;
  }

  add({ caller, address, what, refusal }: Attempt): void {
    const nowMs = this.#clock.monotonicMs();
    const who = caller ? actorOf(caller) : { authorizedBy: "nobody known", address };
    if (!refusal) {
      this.#audit.append({ atMs: this.#clock.now(), event: "operation", subject: what, ...who });
      return;
    }
    const key = caller ? who.authorizedBy : address;
    if (this.#each.waitMs(key, nowMs) > 0 || this.#all.waitMs("", nowMs) > 0) {
      this.#left += 1;
      return;
    }
    this.#each.take(key, nowMs);
    this.#all.take("", nowMs);
    const left = this.#left === 0 ? "" : ` (${this.#left} more were refused before, and not written)`;
    this.#left = 0;
    this.#audit.append({
      atMs: this.#clock.now(),
      event: "refused",
      subject: what,
      refusal: `${refusal.status}: ${refusal.problem}${left}`,
      ...who,
    });
  }
}
