import type { Clock } from "@weft/base/clock";
import { ApiRefusal } from "../api/refusal.ts";
import { resourceKey } from "../config/resource.ts";
import { type Rollout, serviceKey } from "../rollout/rollout.ts";
import type { Happening } from "../rollout/transitions.ts";
import type { ResourceStore } from "../store/resource-store.ts";
import { awaitSync, refusals } from "./await-sync.ts";
import { type ConfigChanges, nameOf } from "./config-changes.ts";
import type { ConfigSet } from "./config-set.ts";
import type { ProxySyncTable } from "./proxy-sync.ts";
import { joinDocuments } from "./split-documents.ts";

export interface RouteWriterOptions {
  readonly clock: Clock;
  readonly resources: Pick<ResourceStore, "versionOf" | "versions">;
  readonly config: ConfigSet;
  readonly changes: Pick<ConfigChanges, "amend">;
  readonly sync: ProxySyncTable;
}

/** Puts texts of routes in force for rollouts, through the same change as any apply, and waits for the proxies. */
export class RouteWriter {
  readonly #parts: RouteWriterOptions;

  constructor(options: RouteWriterOptions) {
    this.#parts = options;
  }

  /** Who has changed the route to what no rollout wrote; undefined where nobody has. */
  displaced({ plan: { route }, text, activity }: Rollout): string | undefined {
    const current = this.#parts.config.entries.get(resourceKey(route))?.text.text;
    if (current === text || (activity.t === "write" && current === activity.text)) return undefined;
    const newest = this.#parts.resources.versions(route)[0];
    const what = current === undefined ? "deleted" : "changed";
    return `${nameOf(route)} was ${what}${newest ? ` by revision ${newest.revision} (${newest.author})` : ""}`;
  }

  /**
   * What became of a text; undefined where the signal says that nobody wants to
   * know any more. `onWritten` hears of it as soon as the text is in force, in
   * the same turn of the event loop.
   */
  async write(
    rollout: Rollout,
    text: string,
    signal: AbortSignal,
    onWritten: (happening: Happening) => void,
  ): Promise<Happening | undefined> {
    const { sync, clock } = this.#parts;
    const refusedBefore = refusals(sync);
    const put = this.#put(rollout, text);
    if (put.t !== "written") return put;
    onWritten(put);
    const { revision } = put;
    const timeoutMs = rollout.plan.ackTimeoutMs;
    const result = await awaitSync(sync, clock, { revision, timeoutMs, refusedBefore, signal });
    if (signal.aborted) return undefined;
    const { acknowledged, waiting, elapsedMs } = result;
    if (result.isSynced) {
      const count = `${acknowledged.length} ${acknowledged.length === 1 ? "proxy" : "proxies"}`;
      return {
        t: "acknowledged",
        text,
        by: `revision ${revision}, ${count} after ${Math.round(elapsedMs)} ms`,
      };
    }
    const { nodeId, state, error } = waiting.find((one) => one.state === "nacked") ?? waiting[0]!;
    const total = acknowledged.length + waiting.length;
    const why =
      state === "nacked"
        ? `${nodeId} refused revision ${revision}: ${error}`
        : `${waiting.length} of ${total} proxies have not acknowledged revision ${revision}, ${nodeId} among them`;
    return { t: "refused", text, why };
  }

  #put(rollout: Rollout, text: string): Happening {
    const { config, changes, resources } = this.#parts;
    const { plan, revision } = rollout;
    const key = resourceKey(plan.route);
    const entry = config.entries.get(key);
    const displaced = this.displaced(rollout);
    if (!entry || displaced !== undefined) return { t: "displaced", why: displaced ?? "the route is gone" };
    if (entry.text.text !== text) {
      const files = joinDocuments([{ ...entry.text, text }]);
      try {
        changes.amend({ files }, revision, `rollout ${serviceKey(plan)}`);
      } catch (error) {
        if (!(error instanceof ApiRefusal)) throw error;
        const [found] = error.body.diagnostics ?? [];
        return { t: "refused", text, why: found ? `${error.message}: ${found.message}` : error.message };
      }
    }
    const newest = resources.versionOf(plan.route)?.revision ?? revision;
    return { t: "written", text: config.entries.get(key)!.text.text, revision: newest };
  }
}
