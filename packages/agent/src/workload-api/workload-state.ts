import { type KeySet, parseKeySet } from "@weft/proxy/filters/jwt/json-web-key-set";
import type { Svid } from "../enrolment/svid.ts";

/**
 * What the Workload API has to say at this moment, and who is to be told when
 * that changes.
 */
export class WorkloadState {
  #svid: Svid;
  #keys: { readonly text: string; readonly set: KeySet } | undefined;
  readonly #listeners = new Set<() => void>();

  constructor(svid: Svid) {
    this.#svid = svid;
  }

  get svid(): Svid {
    return this.#svid;
  }

  /** The public keys of JWT-SVIDs; undefined before the control plane has said them. */
  get keys(): { readonly text: string; readonly set: KeySet } | undefined {
    return this.#keys;
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
