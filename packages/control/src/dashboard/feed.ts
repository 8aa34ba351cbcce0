import type { Clock, Timer } from "@weft/base/clock";
import type { DashboardView } from "./view.ts";
import { diffViews } from "./view-delta.ts";

/** Someone who watches. What is sent waits with the viewer until it is read. */
export interface FeedViewer {
  send(text: string): void;
  /** Sent and not yet taken by the network. */
  readonly queuedBytes: number;
  /** Ends a viewer that does not keep up; it may come again. */
  drop(): void;
}

export interface FeedOptions {
  readonly clock: Clock;
  readonly read: () => DashboardView;
  readonly onError: (error: unknown) => void;
  readonly intervalMs?: number;
  readonly maxViewers?: number;
  /** What may wait for one viewer beside its first view. Default 1 MiB. */
  readonly maxQueuedBytes?: number;
  /** How long something may wait for a viewer. Default 20 s. */
  readonly maxQueuedMs?: number;
}

interface Watching {
  readonly viewer: FeedViewer;
  /** When its queue was last seen empty. */
  emptyAtMs: number;
  /** What the first view was long: it may wait, and more than `maxQueuedBytes` beside it may not. */
  readonly firstBytes: number;
}

/**
 * Sends everyone who watches a view first and then what changed, as server-sent
 * events. The mesh is read once for all of them, and not at all while nobody
 * watches; a viewer that does not read is dropped.
 */
export class DashboardFeed {
  readonly #options: Required<FeedOptions>;
  readonly #watching = new Map<FeedViewer, Watching>();
  #view: DashboardView | undefined;
  /** The view as it is sent to who comes now. */
  #encoded: string | undefined;
  #timer: Timer | undefined;

  constructor(options: FeedOptions) {
    this.#options = {
      intervalMs: 2_000,
      maxViewers: 32,
      maxQueuedBytes: 1 << 20,
      maxQueuedMs: 20_000,
      ...options,
    };
  }

  get viewers(): number {
    return this.#watching.size;
  }

  /** False when there are too many already. */
  add(viewer: FeedViewer): boolean {
    const { clock, read, maxViewers } = this.#options;
    if (this.#watching.size >= maxViewers) return false;
    this.#view ??= read();
    this.#encoded ??= event("view", this.#view);
    const firstBytes = this.#encoded.length;
    this.#watching.set(viewer, { viewer, emptyAtMs: clock.monotonicMs(), firstBytes });
    viewer.send(this.#encoded);
    this.#timer ??= this.#schedule();
    return true;
  }

  remove(viewer: FeedViewer): void {
    this.#watching.delete(viewer);
    if (this.#watching.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#view = undefined;
    this.#encoded = undefined;
  }

  close(): void {
    for (const viewer of [...this.#watching.keys()]) {
      this.remove(viewer);
      viewer.drop();
    }
  }

  #schedule(): Timer {
    return this.#options.clock.setTimer(() => {
      this.#timer = undefined;
      try {
        this.#tick();
      } catch (error) {
        this.#options.onError(error);
      }
      if (this.#watching.size > 0) this.#timer = this.#schedule();
    }, this.#options.intervalMs);
  }

  #tick(): void {
    const next = this.#options.read();
    const text = event("delta", diffViews(this.#view!, next));
    this.#view = next;
    this.#encoded = undefined;
    for (const watching of [...this.#watching.values()]) {
      if (this.#isTooSlow(watching)) {
        this.remove(watching.viewer);
        watching.viewer.drop();
      } else watching.viewer.send(text);
    }
  }

  #isTooSlow(watching: Watching): boolean {
    const { clock, maxQueuedBytes, maxQueuedMs } = this.#options;
    const { queuedBytes } = watching.viewer;
    const nowMs = clock.monotonicMs();
    if (queuedBytes === 0) watching.emptyAtMs = nowMs;
    return queuedBytes > maxQueuedBytes + watching.firstBytes || nowMs - watching.emptyAtMs > maxQueuedMs;
  }
}

/** @see https://html.spec.whatwg.org/multipage/server-sent-events.html */
function event(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
