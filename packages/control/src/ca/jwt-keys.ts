import type { Clock, Timer } from "@weft/base/clock";
import { messageOf } from "@weft/base/errors";
import { type JwtSigningKey, jwtKeyId, publicJwk } from "@weft/identity/jwt-svid";
import { formatPrivateKey, generateKeyPair, parsePrivateKey } from "@weft/identity/key-pair";
import { runAtWallTime } from "@weft/identity/renewal";
import type { JwtKeyStore, StoredJwtKey } from "../store/jwt-key-store.ts";
import type { CaLog } from "./ca-log.ts";

/** How long one key signs. */
const signsMs = 24 * 3_600_000;
/** A key is published this long before it signs, so that everybody knows it by then. */
const aheadMs = 3_600_000;
/** And this long after it has ended: the longest life of a token, and some skew. */
const keepMs = 2 * 3_600_000;
const retryMs = 60_000;

/**
 * The keys that sign JWT-SVIDs, kept in the store: a new one every day,
 * published before it signs and until nothing it signed is valid.
 */
export class JwtKeys {
  readonly #store: JwtKeyStore;
  readonly #clock: Clock;
  readonly #log: CaLog;
  readonly #listeners = new Set<() => void>();
  #keys: readonly (StoredJwtKey & JwtSigningKey)[];
  #timer: Timer | undefined;
  #isClosed = false;

  private constructor(store: JwtKeyStore, clock: Clock, log: CaLog) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
    this.#keys = store.list().map(read);
  }

  /** With a first key where there is none that signs now. */
  static async open(store: JwtKeyStore, clock: Clock, log: CaLog): Promise<JwtKeys> {
    const keys = new JwtKeys(store, clock, log);
    if (!keys.#signing) await keys.#add(clock.now());
    keys.#schedule();
    return keys;
  }

  /** @throws Error when none signs now, as after the machine slept for a day and before a new one is made. */
  get current(): JwtSigningKey {
    const key = this.#signing;
    if (!key) throw new Error("the key of JWT-SVIDs has ended; a new one is being made");
    return key;
  }

  /** Every public key that a valid token may be signed with, as a JSON Web Key Set. */
  get keySet(): string {
    return JSON.stringify({ keys: this.#published.map(publicJwk) });
  }

  /** Calls back when the key set has changed. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#listeners.clear();
  }

  get #signing() {
    const nowMs = this.#clock.now();
    return this.#keys.findLast(({ beginsAtMs, endsAtMs }) => beginsAtMs <= nowMs && nowMs < endsAtMs);
  }

  get #published() {
    const nowMs = this.#clock.now();
    return this.#keys.filter(({ endsAtMs }) => nowMs < endsAtMs + keepMs);
  }

  #schedule(): void {
    const dueMs = this.#keys.at(-1)!.endsAtMs - aheadMs;
    this.#timer = runAtWallTime(this.#clock, dueMs, () => void this.#next());
  }

  async #next(): Promise<void> {
    try {
      await this.#add(Math.max(this.#keys.at(-1)!.endsAtMs, this.#clock.now()));
      if (!this.#isClosed) this.#schedule();
    } catch (error) {
      this.#log.error({}, `no new key for JWT-SVIDs: ${messageOf(error)}`);
      if (!this.#isClosed) this.#timer = this.#clock.setTimer(() => void this.#next(), retryMs);
    }
  }

  async #add(beginsAtMs: number): Promise<void> {
    const { privateKey } = await generateKeyPair();
    if (this.#isClosed) return;
    const key = {
      id: jwtKeyId(privateKey),
      privateKeyPem: formatPrivateKey(privateKey),
      beginsAtMs,
      endsAtMs: beginsAtMs + signsMs,
    };
    this.#store.add(key, this.#clock.now() - keepMs);
    this.#keys = this.#store.list().map(read);
    this.#log.info({ kid: key.id, beginsAtMs }, "a new key for JWT-SVIDs");
    for (const listener of this.#listeners) listener();
  }
}

function read(key: StoredJwtKey): StoredJwtKey & JwtSigningKey {
  return { ...key, privateKey: parsePrivateKey(key.privateKeyPem).privateKey };
}
