import type { ClusterStats, Endpoint } from "../cluster/cluster.ts";
import type { MadeConnection } from "./pending-connection.ts";

/** What one established upstream connection counts for in its cluster's statistics and breakers. */
export class ConnectionAccount {
  readonly #made: MadeConnection;
  readonly #stats: ClusterStats;
  #readBefore = 0;
  #writtenBefore = 0;
  #isExpired = false;

  constructor(made: MadeConnection, stats: ClusterStats) {
    this.#made = made;
    this.#stats = stats;
    stats.cxActive.value += 1;
  }

  /** It has reached its greatest age. */
  expire(): void {
    this.#isExpired = true;
    this.#stats.cxMaxDurationReached.value += 1;
  }

  /** Whether it was made with the endpoint's transport, under the certificate in force, and is not too old. */
  isCurrent({ tls }: Endpoint): boolean {
    if (this.#isExpired) return false;
    const { tls: madeWith, generation } = this.#made;
    return madeWith === tls && (tls === undefined || tls.context.generation === generation);
  }

  /** Adds the bytes since it was last asked. */
  countBytes(): void {
    const { bytesRead, bytesWritten } = this.#made.connection;
    this.#stats.cxRxBytes.value += bytesRead - this.#readBefore;
    this.#stats.cxTxBytes.value += bytesWritten - this.#writtenBefore;
    this.#readBefore = bytesRead;
    this.#writtenBefore = bytesWritten;
  }

  /** The connection is gone, `requests` having begun on it; called once. `isActive`: one of them was not over. */
  close(isLocal: boolean, requests: number, isActive: boolean): void {
    this.countBytes();
    const { counted, clock, madeMs } = this.#made;
    counted?.connections.release();
    this.#stats.cxActive.value -= 1;
    this.#stats.connections().onGone(clock.monotonicMs() - madeMs, requests, isLocal, isActive);
    if (isLocal) this.#stats.cxDestroyLocal.value += 1;
    else this.#stats.cxDestroyRemote.value += 1;
  }
}
