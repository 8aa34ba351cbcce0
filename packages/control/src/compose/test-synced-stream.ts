import type { TypeStatus } from "@weft/xds/ads-server";
import type { Snapshot } from "@weft/xds/snapshot";
import type { SyncedStream } from "./proxy-sync.ts";

export const cds = "type.googleapis.com/envoy.config.cluster.v3.Cluster";

export function typeStatus(changes: Partial<TypeStatus> = {}): TypeStatus {
  return {
    typeUrl: cds,
    isWildcard: true,
    subscribed: 0,
    held: 1,
    sentVersion: "1",
    sentNonce: "1",
    sentMs: 1,
    ackedVersion: "",
    ackedMs: undefined,
    nackedVersion: "",
    nackedMs: undefined,
    error: undefined,
    isInFlight: true,
    ...changes,
  };
}

/** A stream whose client answers when the test says so. */
export class FakeStream implements SyncedStream {
  types: readonly TypeStatus[] = [];
  snapshot: Snapshot | undefined;
  settledSnapshot: Snapshot | undefined;

  get isSubscribed(): boolean {
    return this.types.length > 0;
  }

  get isAnswered(): boolean {
    return this.types.every((type) => type.ackedMs !== undefined || type.nackedMs !== undefined);
  }

  get error(): string | undefined {
    return this.types.find((type) => type.error !== undefined)?.error;
  }

  subscription() {
    return undefined;
  }

  send(): void {
    this.snapshot = { byType: new Map() };
    this.types = [typeStatus()];
  }

  answer(error?: string): void {
    this.settledSnapshot = this.snapshot;
    this.types = [typeStatus({ isInFlight: false, ackedMs: error ? undefined : 1, error })];
  }
}
