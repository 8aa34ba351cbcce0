import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Clock, Timer } from "@weft/base/clock";
import { messageOf, UserError } from "@weft/base/errors";
import type { ListenerCertificate } from "./remote-listener.ts";

export interface CertificateFilesOptions {
  /** PEM, leaf first. */
  readonly certificate: string;
  readonly key: string;
  readonly clock: Clock;
  readonly onChange: (next: ListenerCertificate) => void;
  readonly onProblem: (problem: string) => void;
}

const lookMs = 30_000;

/** The certificate of `--api-cert` and `--api-key`, read again when the files have changed; what does not fit leaves the last in force. */
export class CertificateFiles {
  readonly #options: CertificateFilesOptions;
  #current: ListenerCertificate;
  #timer: Timer;

  /** @throws UserError when the files are no certificate and its key */
  constructor(options: CertificateFilesOptions) {
    this.#options = options;
    this.#current = readPair(options);
    this.#timer = this.#schedule();
  }

  get current(): ListenerCertificate {
    return this.#current;
  }

  close(): void {
    this.#timer.cancel();
  }

  #schedule(): Timer {
    return this.#options.clock.setTimer(() => {
      this.#look();
      this.#timer = this.#schedule();
    }, lookMs);
  }

  #look(): void {
    try {
      const next = readPair(this.#options);
      if (next.chainPem === this.#current.chainPem && next.keyPem === this.#current.keyPem) return;
      this.#current = next;
      this.#options.onChange(next);
    } catch (error) {
      this.#options.onProblem(`${messageOf(error)}; the last certificate stays`);
    }
  }
}

function readPair({ certificate, key }: CertificateFilesOptions): ListenerCertificate {
  const fail = (problem: string, cause?: unknown): UserError =>
    new UserError(`--api-cert ${certificate}, --api-key ${key}: ${problem}`, {
      hint: "name a certificate, leaf first, and its private key without a passphrase, both PEM",
      exitCode: 2,
      cause,
    });
  let pair: ListenerCertificate;
  let belong: boolean;
  try {
    pair = { chainPem: readFileSync(certificate, "utf8"), keyPem: readFileSync(key, "utf8") };
    belong = new X509Certificate(pair.chainPem).checkPrivateKey(createPrivateKey(pair.keyPem));
  } catch (error) {
    throw fail(messageOf(error), error);
  }
  if (belong) return pair;
  throw fail("the key is of another certificate");
}
