import type { Clock } from "@weft/base/clock";
import type { SyncResult } from "../api/protocol.ts";
import type { ProxySync, ProxySyncTable } from "./proxy-sync.ts";

export interface AwaitedSync {
  readonly revision: number;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /**
   * The refusals there were before, by node id: they say nothing about this
   * revision. Where they are given, a new one ends the wait at once.
   */
  readonly refusedBefore?: ReadonlyMap<string, string | undefined>;
}

/** What proxies refuse now, by node id. */
export function refusals(sync: ProxySyncTable): ReadonlyMap<string, string | undefined> {
  const refusing = [...sync.proxies].filter(({ state }) => state === "nacked");
  return new Map(refusing.map(({ info, error }) => [info.nodeId, error]));
}

/** Resolves when every proxy has acknowledged a revision, or the time is over, or the signal aborts; never rejects. */
export function awaitSync(
  sync: ProxySyncTable,
  clock: Clock,
  { revision, timeoutMs, signal, refusedBefore }: AwaitedSync,
): Promise<SyncResult> {
  const startMs = clock.monotonicMs();
  const isOldRefusal = ({ info, state, error }: ProxySync) =>
    state === "nacked" &&
    refusedBefore?.has(info.nodeId) === true &&
    refusedBefore.get(info.nodeId) === error;
  const hasAcked = (proxy: ProxySync) =>
    proxy.ackedRevision >= revision || proxy.isIdle || isOldRefusal(proxy);
  const isRefused = (proxy: ProxySync) => proxy.state === "nacked" && !isOldRefusal(proxy);
  return new Promise((resolve) => {
    const isOver = () =>
      sync.proxies.values().every(hasAcked) ||
      (refusedBefore !== undefined && sync.proxies.values().some(isRefused));
    const finish = (): void => {
      stopWatching();
      timer.cancel();
      signal?.removeEventListener("abort", finish);
      const waiting = [...sync.proxies].filter((proxy) => !hasAcked(proxy));
      resolve({
        revision,
        isSynced: waiting.length === 0,
        elapsedMs: clock.monotonicMs() - startMs,
        acknowledged: [...sync.proxies].filter(hasAcked).map((proxy) => proxy.info.nodeId),
        waiting: waiting.map(({ info, state, error }) => ({ nodeId: info.nodeId, state, error })),
      });
    };
    const stopWatching = sync.watch(() => {
      if (isOver()) finish();
    });
    const timer = clock.setTimer(finish, timeoutMs);
    signal?.addEventListener("abort", finish);
    if (isOver() || signal?.aborted) finish();
  });
}
