import type { BundleMap, SpiffeBundle } from "@weft/identity/spiffe-bundle";
import { type KeySet, parseKeySet } from "@weft/proxy/filters/jwt/json-web-key-set";
import type { Svid } from "../enrolment/svid.ts";

/** Another trust domain, and the keys of its JWT-SVIDs where there are any. */
export interface ForeignDomain {
  readonly bundle: SpiffeBundle;
  readonly keys: WorkloadKeys | undefined;
}

/** A JSON Web Key Set, and what it says. */
export interface WorkloadKeys {
  readonly text: string;
  readonly set: KeySet;
}

/**
 * What the Workload API has to say at this moment, and who is to be told when
 * that changes.
 */
export class WorkloadState {
  #svid: Svid;
  #keys: WorkloadKeys | undefined;
  #foreign: readonly ForeignDomain[] = [];
  readonly #listeners = new Set<() => void>();

  constructor(svid: Svid) {
    this.#svid = svid;
  }

  get svid(): Svid {
    return this.#svid;
  }

  /** The public keys of JWT-SVIDs; undefined before the control plane has said them. */
  get keys(): WorkloadKeys | undefined {
    return this.#keys;
  }

  /** The trust domains the mesh is federated with. */
  get foreign(): readonly ForeignDomain[] {
    return this.#foreign;
  }

  setForeign({ bundles }: BundleMap): void {
    this.#foreign = bundles.map((bundle) => ({ bundle, keys: keysOf(bundle) }));
    this.#tell();
  }

  setSvid(svid: Svid): void {
    this.#svid = svid;
    this.#tell();
  }

  /** @throws SyntaxError for what is no key set */
  setKeySet(text: string): void {
    if (text === this.#keys?.text) return;
    this.#keys = { text, set: parseKeySet(text) };
    this.#tell();
  }

  /** Returns how to stop that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

function keysOf({ jwtKeys }: SpiffeBundle): WorkloadKeys | undefined {
  if (jwtKeys.length === 0) return undefined;
  const text = JSON.stringify({ keys: jwtKeys });
  return { text, set: parseKeySet(text) };
}
