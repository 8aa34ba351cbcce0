import type { DashboardView } from "@weft/control/dashboard/view";
import { applyDelta } from "@weft/control/dashboard/view-delta";

/** What is known, and how fresh it is. */
export interface FeedState {
  readonly view: DashboardView | undefined;
  /** When the last word of the control plane arrived, in the browser's time; 0: never. */
  readonly heardAtMs: number;
  readonly status: "connecting" | "live" | "away" | "logged out" | "full";
}

const retryMs = 3_000;

/** Follows the control plane's feed; after a break it begins with a whole view again. */
export class FeedClient {
  #state: FeedState = { view: undefined, heardAtMs: 0, status: "connecting" };
  readonly #listeners = new Set<() => void>();
  #source: EventSource | undefined;

  get state(): FeedState {
    return this.#state;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  connect(): void {
    const source = new EventSource("events");
    this.#source = source;
    source.addEventListener("view", ({ data }) => this.#heard(JSON.parse(data)));
    source.addEventListener("delta", ({ data }) => {
      if (this.#state.view) this.#heard(applyDelta(this.#state.view, JSON.parse(data)));
    });
    source.addEventListener("full", () => {
      source.close();
      this.#set({ status: "full" });
      setTimeout(() => this.connect(), retryMs * 3);
    });
    source.addEventListener("error", () => void this.#lost(source));
  }

  #heard(view: DashboardView): void {
    this.#set({ view, heardAtMs: Date.now(), status: "live" });
  }

  /** A browser tries again by itself, except where it was answered with an error. */
  async #lost(source: EventSource): Promise<void> {
    if (source !== this.#source) return;
    this.#set({ status: "away" });
    if (source.readyState !== EventSource.CLOSED) return;
    const status = await fetch("../api/v1/revisions?limit=1").then(
      (response) => response.status,
      () => 0,
    );
    if (status === 401) return this.#set({ status: "logged out" });
    setTimeout(() => this.connect(), retryMs);
  }

  #set(change: Partial<FeedState>): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener();
  }
}
