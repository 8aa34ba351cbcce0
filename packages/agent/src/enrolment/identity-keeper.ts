import { Backoff } from "@weft/base/backoff";
import type { Timer } from "@weft/base/clock";
import { messageOf, UserError } from "@weft/base/errors";
import { renewAfterMs, runAtWallTime } from "@weft/identity/renewal";
import { bundleVersion, parseTrustBundle, type TrustBundle } from "@weft/identity/trust-bundle";
import { GrpcError, grpcCode } from "@weft/xds/grpc/grpc-status";
import type { EnrolmentTarget } from "./certificate-authority.ts";
import type { Enrolment } from "./enrolment.ts";
import type { IdentityFile } from "./identity-file.ts";
import { formatSvid, parseSvid, rootOf, type Svid, withBundle } from "./svid.ts";

export interface IdentityOptions {
  readonly target: EnrolmentTarget;
  readonly file: IdentityFile;
  /** May fail where an identity is kept: then it is not needed. */
  readonly enrolment: Enrolment;
  readonly talk: (line: string) => void;
  readonly signal?: AbortSignal;
  /** Only for tests: the exact jitter. */
  readonly random?: () => number;
}

/** How long a first contact is tried while nothing answers. */
const firstContactMs = 15_000;
/** Within this long all workloads ask for a certificate of a new root. */
const soonMs = 5_000;
const retry = { baseMs: 500, maxMs: 30_000 };
/** On a clock far ahead a short-lived certificate is past its half when it comes. */
const freshShare = 0.1;
/** Once the certificate has expired every call fails: the control plane's return is noticed within this. */
const expiredRetryMs = 3_000;

/**
 * Holds the workload's SVID and keeps it fresh: renewed at a jittered
 * half-life, retried with backoff while the control plane is away, in force
 * until it expires, whatever happens.
 */
export class IdentityKeeper {
  readonly #options: IdentityOptions;
  /** Whether the identity came from disk rather than for a join token. */
  readonly isFromEarlierRun: boolean;
  readonly #listeners = new Set<(svid: Svid) => void>();
  readonly #backoff: Backoff;
  #svid: Svid;
  #timer: Timer | undefined;
  /** What the control plane said last beside an answer: newer than what comes with a certificate. */
  #told: TrustBundle | undefined;
  #isRenewing = false;
  #hasFailed = false;
  #isClosed = false;

  private constructor(options: IdentityOptions, svid: Svid, isFromEarlierRun: boolean) {
    this.#options = options;
    this.isFromEarlierRun = isFromEarlierRun;
    this.#svid = svid;
    this.#backoff = new Backoff({ ...retry, random: options.random });
    this.#schedule();
  }

  /**
   * The identity kept from an earlier run where it is still good, else a new one by the join token.
   *
   * @throws UserError that says what to do
   */
  static async open(options: IdentityOptions): Promise<IdentityKeeper> {
    const kept = readKept(options);
    if (kept) return new IdentityKeeper(options, kept, true);
    const svid = await enrolFirst(options);
    options.file.write(formatSvid(svid));
    return new IdentityKeeper(options, svid, false);
  }

  get svid(): Svid {
    return this.#svid;
  }

  /**
   * Takes over whom to trust from now on. A certificate that is not of the first
   * root, the one that issues now, is renewed within seconds.
   *
   * @throws when the text is no trust bundle
   */
  setBundle(bundlePem: string): void {
    const told = parseTrustBundle(this.#options.target.trustDomain, bundlePem);
    this.#told = told;
    if (bundleVersion(told) !== bundleVersion(this.#svid.bundle)) this.#use(withBundle(this.#svid, told));
    if (!this.#isRenewing && !this.#isOfIssuingRoot) this.#renewSoon();
  }

  /** Calls `listener` with each new SVID, from the next one on. */
  onRotated(listener: (svid: Svid) => void): void {
    this.#listeners.add(listener);
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#listeners.clear();
  }

  /** @param leastShare of its life that passes until then, however this clock and the authority's differ */
  #schedule(leastShare = 0): void {
    const { clock } = this.#options.target;
    const leastMs = (this.#svid.notAfterMs - this.#svid.notBeforeMs) * leastShare;
    const waitMs = renewAfterMs(this.#svid, clock.now(), this.#options.random);
    const dueMs = clock.now() + Math.max(waitMs, leastMs);
    this.#timer = runAtWallTime(clock, dueMs, () => void this.#renew());
  }

  /** Not all workloads of the mesh at one moment. */
  #renewSoon(): void {
    const { target, random = Math.random } = this.#options;
    this.#timer?.cancel();
    this.#timer = target.clock.setTimer(() => void this.#renew(), random() * soonMs);
  }

  get #isOfIssuingRoot(): boolean {
    const bundle = this.#told ?? this.#svid.bundle;
    return rootOf(withBundle(this.#svid, bundle))?.pem === bundle.roots[0]!.pem;
  }

  async #renew(): Promise<void> {
    const { target, talk, enrolment } = this.#options;
    let svid: Svid;
    const told = this.#told;
    this.#isRenewing = true;
    try {
      svid = await enrolment.renew(target, this.#svid);
    } catch (thrown) {
      if (!this.#isClosed) this.#retryLater(thrown);
      return;
    } finally {
      this.#isRenewing = false;
    }
    if (this.#isClosed) return;
    if (this.#hasFailed) talk(`certificate renewed; valid until ${new Date(svid.notAfterMs).toISOString()}`);
    this.#hasFailed = false;
    this.#backoff.reset();
    const under = this.#told && withBundle(svid, this.#told);
    this.#use(under && rootOf(under) ? under : svid);
    this.#schedule(freshShare);
    // Told of another root while the certificate was on its way: it may be of the one before.
    if (told !== this.#told && !this.#isOfIssuingRoot) this.#renewSoon();
  }

  #use(svid: Svid): void {
    const { file, talk } = this.#options;
    this.#svid = svid;
    try {
      file.write(formatSvid(svid));
    } catch (thrown) {
      talk(
        `the identity could not be kept in ${file.path}: ${messageOf(thrown)}; a restart will need a token`,
      );
    }
    for (const listener of this.#listeners) listener(svid);
  }

  #retryLater(thrown: unknown): void {
    const { target, talk } = this.#options;
    const isExpired = target.clock.now() >= this.#svid.notAfterMs;
    if (!this.#hasFailed) {
      const until = new Date(this.#svid.notAfterMs).toISOString();
      talk(
        `certificate not renewed: ${describe(thrown)}; trying on, the current one is valid until ${until}`,
      );
      this.#hasFailed = true;
    } else if (isExpired) {
      talk(
        `certificate expired and not renewed: ${describe(thrown)}; peers refuse this workload until it is`,
      );
    }
    const waitMs = this.#backoff.nextMs();
    // At its end at the latest: from then on it is tried more often.
    const leftMs = Math.max(this.#svid.notAfterMs - target.clock.now(), expiredRetryMs);
    this.#timer = target.clock.setTimer(
      () => void this.#renew(),
      isExpired ? Math.min(waitMs, expiredRetryMs) : Math.min(waitMs, leftMs),
      { keepAlive: true },
    );
  }
}

function readKept({ file, target, enrolment, talk }: IdentityOptions): Svid | undefined {
  const text = file.read();
  if (text === undefined) return undefined;
  try {
    const svid = parseSvid(text, target, target.clock.now());
    if (!enrolment.isElsewhere(svid)) return svid;
    talk(`the identity in ${file.path} is not used: the join token is for another control plane`);
    return undefined;
  } catch (thrown) {
    talk(`the identity in ${file.path} is not used: ${messageOf(thrown)}`);
    return undefined;
  }
}

async function enrolFirst(options: IdentityOptions): Promise<Svid> {
  const { target, talk, signal, enrolment } = options;
  if (!enrolment.canEnrol()) {
    throw new UserError("no join token, and no identity from an earlier run", {
      hint: `create one with 'weft token create' and pass it with --token-file FILE, --token TOKEN or WEFT_TOKEN`,
    });
  }
  const backoff = new Backoff({ baseMs: 200, maxMs: 2_000, random: options.random });
  const deadlineMs = target.clock.monotonicMs() + firstContactMs;
  for (let isFirst = true; ; isFirst = false) {
    signal?.throwIfAborted();
    try {
      return await enrolment.enrol(target);
    } catch (thrown) {
      if (!(thrown instanceof GrpcError)) throw thrown;
      const canHelp = thrown.code === grpcCode.unavailable || thrown.code === grpcCode.deadlineExceeded;
      if (!canHelp || target.clock.monotonicMs() >= deadlineMs) {
        throw new UserError(`no certificate from the control plane: ${describe(thrown)}`, {
          hint: "start it with 'weft control-plane', and name its address with --control-plane HOST:PORT",
          cause: thrown,
        });
      }
      if (isFirst) talk(`waiting for the control plane: ${describe(thrown)}`);
    }
    await target.clock.sleepMs(backoff.nextMs(), signal);
  }
}

function describe(thrown: unknown): string {
  return thrown instanceof GrpcError && thrown.code !== grpcCode.unavailable
    ? thrown.toString()
    : messageOf(thrown);
}
