import { createHash } from "node:crypto";
import type { Clock } from "@weft/base/clock";
import type { PublicJwk, SpiffeBundle } from "@weft/identity/spiffe-bundle";
import { formatSpiffeBundle } from "@weft/identity/spiffe-bundle";
import type { JwtKeys } from "../ca/jwt-keys.ts";
import type { TrustState } from "../ca/trust-state.ts";
import type { BundleStore } from "../store/bundle-store.ts";
import { contentOf } from "./supersedes.ts";

export interface PublishedBundleOptions {
  readonly trust: Pick<TrustState, "view">;
  readonly jwtKeys: Pick<JwtKeys, "keySet">;
  readonly store: Pick<BundleStore, "published" | "setPublished">;
  readonly clock: Clock;
  readonly refreshHintS: number;
}

/**
 * The bundle of this trust domain as others are told it: all roots that the mesh
 * trusts and all keys of JWT-SVIDs, under a sequence number that is on the disk
 * before anybody is told. It never falls, not even when the state is restored
 * from a backup: it is at least the time of the change in seconds.
 */
export class PublishedBundle {
  readonly #options: PublishedBundleOptions;

  constructor(options: PublishedBundleOptions) {
    this.#options = options;
  }

  get current(): SpiffeBundle {
    const { trust, jwtKeys, store, clock, refreshHintS } = this.#options;
    const { trustDomain, roots } = trust.view.bundle;
    const { keys } = JSON.parse(jwtKeys.keySet) as { keys: readonly PublicJwk[] };
    const bundle = { trustDomain, roots, jwtKeys: keys, sequence: undefined, refreshHintS };
    const contentHash = createHash("sha256").update(contentOf(bundle)).digest("hex");
    const last = store.published();
    if (last?.contentHash === contentHash) return { ...bundle, sequence: last.sequence };
    const seconds = BigInt(Math.floor(clock.now() / 1000));
    const sequence = last && last.sequence >= seconds ? last.sequence + 1n : seconds;
    store.setPublished({ sequence, contentHash });
    return { ...bundle, sequence };
  }

  get document(): string {
    return formatSpiffeBundle(this.current);
  }
}
