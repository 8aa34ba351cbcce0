import { Backoff } from "@weft/base/backoff";
import type { Clock, Timer } from "@weft/base/clock";
import { messageOf } from "@weft/base/errors";
import { createCsr } from "@weft/identity/csr";
import { formatPrivateKey, generateKeyPair, spkiOf } from "@weft/identity/key-pair";
import { renewAfterMs, runAtWallTime } from "@weft/identity/renewal";
import type { TrustDomain } from "@weft/identity/spiffe-id";
import { controlPlaneSpiffeId } from "@weft/identity/workload-id";
import type { CaLog } from "./ca-log.ts";
import type { IssuedCertificate } from "./certificate-request.ts";
import type { SignRequest } from "./signer.ts";

/** What `node:tls` serves the control plane's gRPC with. */
export interface ServingKeyPair {
  readonly keyPem: string;
  /** Leaf first, root last: agents find the root they pinned in it. */
  readonly chainPem: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export interface ServingCertificateOptions {
  readonly trustDomain: TrustDomain;
  readonly clock: Clock;
  readonly log: CaLog;
  /** In [0, 1). */
  readonly random: () => number;
  /** Signs, verifies and records. */
  readonly certify: (request: Omit<SignRequest, "notBeforeMs" | "notAfterMs">) => Promise<IssuedCertificate>;
  /** Calls back when certificates come from another root. Returns how to stop that. */
  readonly onRootChange: (listener: () => void) => () => void;
}

const dnsNames = ["weft-control-plane", "localhost"];

/**
 * The control plane's own certificate, renewed before it expires with a new key
 * each time. The key is never written anywhere. While renewal fails the current one stays,
 * and it is tried again.
 */
export class ServingCertificate {
  readonly #options: ServingCertificateOptions;
  readonly #backoff: Backoff;
  readonly #listeners = new Set<(next: ServingKeyPair) => void>();
  #current: ServingKeyPair;
  #timer: Timer | undefined;
  #isClosed = false;
  readonly #forgetRoot: () => void;

  private constructor(options: ServingCertificateOptions, first: ServingKeyPair) {
    this.#options = options;
    this.#backoff = new Backoff({ baseMs: 1_000, maxMs: 60_000, random: options.random });
    this.#current = first;
    this.#forgetRoot = options.onRootChange(() => void this.renew());
    this.#schedule();
  }

  /** Rejects when the first certificate cannot be issued. */
  static async open(options: ServingCertificateOptions): Promise<ServingCertificate> {
    return new ServingCertificate(options, await issue(options));
  }

  get current(): ServingKeyPair {
    return this.#current;
  }

  /** Calls `listener` with each new certificate. Returns how to stop that. */
  onChange(listener: (next: ServingKeyPair) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Issues a new one now, as after a change of the root. */
  async renew(): Promise<void> {
    this.#timer?.cancel();
    try {
      const next = await issue(this.#options);
      if (this.#isClosed) return;
      this.#current = next;
      this.#backoff.reset();
      this.#schedule();
      for (const listener of this.#listeners) listener(next);
    } catch (error) {
      if (this.#isClosed) return;
      const delayMs = this.#backoff.nextMs();
      this.#options.log.error(
        { error: messageOf(error), delayMs },
        `the control plane's certificate was not renewed: ${messageOf(error)}`,
      );
      this.#timer = this.#options.clock.setTimer(() => void this.renew(), delayMs);
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#forgetRoot();
    this.#listeners.clear();
  }

  #schedule(): void {
    const { clock, random } = this.#options;
    const atMs = clock.now() + renewAfterMs(this.#current, clock.now(), random);
    this.#timer = runAtWallTime(clock, atMs, () => void this.renew());
  }
}

async function issue({ trustDomain, certify }: ServingCertificateOptions): Promise<ServingKeyPair> {
  const spiffeId = controlPlaneSpiffeId(trustDomain);
  const keys = await generateKeyPair();
  const csrPem = createCsr(keys, spiffeId, dnsNames);
  const { chainPem, notBeforeMs, notAfterMs } = await certify({
    csrPem,
    spiffeId,
    spki: spkiOf(keys.publicKey),
    dnsNames,
  });
  return { keyPem: formatPrivateKey(keys.privateKey), chainPem: chainPem.join(""), notBeforeMs, notAfterMs };
}
