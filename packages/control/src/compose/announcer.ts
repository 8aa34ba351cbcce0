import type { RolloutEvent } from "../api/rollout-protocol.ts";
import { alertBody, isAlerted } from "../rollout/alert-body.ts";
import { type Rollout, serviceKey } from "../rollout/rollout.ts";
import type { EventLog } from "./event-log.ts";
import type { Outward } from "./outward.ts";

export interface AnnouncerOptions {
  readonly outward: Outward;
  readonly events: EventLog;
}

/** Of one rollout; what comes while so many wait is not sent. */
const maxWaiting = 50;
const alertMs = 10_000;

/**
 * Tells webhooks and chats what happens to rollouts: in order, one after the
 * other, beside everything else. Nobody waits for them, and what does not arrive
 * is said in the events of the mesh.
 */
export class Announcer {
  readonly #options: AnnouncerOptions;
  readonly #closing = new AbortController();
  /** By the id of a rollout: how many wait, and the last of them. */
  readonly #lines = new Map<number, { waiting: number; last: Promise<void> }>();

  constructor(options: AnnouncerOptions) {
    this.#options = options;
  }

  close(): void {
    this.#closing.abort();
  }

  tell(rollout: Rollout, event: RolloutEvent): void {
    const { outward } = this.#options;
    const { signal } = this.#closing;
    for (const hook of rollout.plan.webhooks ?? []) {
      if (hook.type !== "event") continue;
      this.#send(rollout, `event webhook ${hook.name}`, async () => {
        const answer = await outward.call(rollout, hook, event, signal);
        return answer.t === "no" ? answer.why : undefined;
      });
    }
    for (const alert of rollout.plan.alerts ?? []) {
      if (!isAlerted(rollout, event, alert)) continue;
      const { url, text } = alertBody(rollout, event, alert);
      this.#send(rollout, `alert ${alert.name}`, () => outward.post(url, text, alertMs, signal));
    }
  }

  #send({ id, plan }: Rollout, what: string, deliver: () => Promise<string | undefined>): void {
    const { events } = this.#options;
    const line = this.#lines.get(id) ?? { waiting: 0, last: Promise.resolve() };
    const fail = (why: string) => events.add("rollout", `${serviceKey(plan)}: ${what} ${why}`);
    if (line.waiting >= maxWaiting) return void fail("is not sent: too many wait for the one before");
    line.waiting += 1;
    this.#lines.set(id, line);
    line.last = line.last.then(async () => {
      const why = this.#closing.signal.aborted ? undefined : await deliver();
      if (why !== undefined && !this.#closing.signal.aborted) fail(why);
      line.waiting -= 1;
      if (line.waiting === 0) this.#lines.delete(id);
    });
  }
}
