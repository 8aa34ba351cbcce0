import type { Clock } from "@weft/base/clock";
import { hashJoinToken, type JoinToken, JoinTokenError, parseJoinToken } from "@weft/identity/join-token";
import { type SpiffeId, type TrustDomain, trustDomainOf } from "@weft/identity/spiffe-id";
import { parseWorkloadId, systemNamespace } from "@weft/identity/workload-id";
import type { TokenFault, TokenStore } from "../store/token-store.ts";
import type { AuthenticatedCaller } from "./authenticated-caller.ts";
import type { CaLog } from "./ca-log.ts";
import { type Caller, CertificateRefusal } from "./certificate-request.ts";
import { podRight, type ServiceAccountCallers } from "./kubernetes/service-account-callers.ts";
import type { RateLimit } from "./rate-limit.ts";
import type { Revocations } from "./revocations.ts";

/** Deliberately the same for every fault: a guesser learns nothing from it. */
const tokenRefusal = "the join token is not known, has expired or was used already";
const accountRefusal =
  "the service-account token is not good: it must be of this cluster, for the audience of this mesh, bound to a pod that is there, and not have expired";
/** A JSON Web Token, as service-account tokens are; no join token looks like it. */
const jwt = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/** Says who calls, from the little a caller shows. Guessing tokens is slowed down by address. */
export class CallerAuthenticator {
  readonly #tokens: TokenStore;
  readonly #failures: RateLimit;
  readonly #trustDomain: TrustDomain;
  readonly #clock: Clock;
  readonly #log: CaLog;
  readonly #accounts: ServiceAccountCallers | undefined;
  readonly #revocations: Pick<Revocations, "isShutOut">;
  readonly #rightOf: (serial: string) => string | undefined;

  constructor(options: {
    readonly tokens: TokenStore;
    readonly failures: RateLimit;
    readonly trustDomain: TrustDomain;
    readonly clock: Clock;
    readonly log: CaLog;
    /** Absent: nobody joins by a Kubernetes service account. */
    readonly accounts: ServiceAccountCallers | undefined;
    readonly revocations: Pick<Revocations, "isShutOut">;
    /** By what right a certificate was issued. */
    readonly rightOf: (serial: string) => string | undefined;
  }) {
    this.#accounts = options.accounts;
    this.#revocations = options.revocations;
    this.#rightOf = options.rightOf;
    this.#tokens = options.tokens;
    this.#failures = options.failures;
    this.#trustDomain = options.trustDomain;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  /** @throws CertificateRefusal */
  async authenticate(auth: Caller | undefined, address: string): Promise<AuthenticatedCaller> {
    if (!auth) {
      throw new CertificateRefusal(
        "unauthenticated",
        "a certificate needs a join token or the workload's current certificate; create a token with 'weft token create'",
      );
    }
    if (!("token" in auth)) return this.#byCertificate(auth.peer, auth.serial);
    this.#limitFailures(address);
    return jwt.test(auth.token)
      ? this.#byServiceAccount(auth.token, address)
      : this.#byToken(auth.token, address);
  }

  /** What a token that does not work is answered, here and when it turns out later. */
  refuseToken(id: string, fault: TokenFault | "malformed", address: string): CertificateRefusal {
    this.#failures.take(address, this.#clock.monotonicMs());
    this.#log.warn(
      { token: id, fault, address },
      `join token ${id || "without an id"} was refused: ${fault}`,
    );
    return new CertificateRefusal("unauthenticated", tokenRefusal);
  }

  #limitFailures(address: string): void {
    const waitMs = this.#failures.waitMs(address, this.#clock.monotonicMs());
    if (waitMs <= 0) return;
    const message = `too many tokens from ${address} were refused; try again in ${Math.ceil(waitMs / 1000)} s`;
    throw new CertificateRefusal("resource-exhausted", message);
  }

  async #byServiceAccount(token: string, address: string): Promise<AuthenticatedCaller> {
    if (!this.#accounts) {
      throw new CertificateRefusal(
        "unauthenticated",
        "no service-account tokens are taken here: start the control plane with --service-account-tokens, or join by a token of 'weft token create'",
      );
    }
    const caller = await this.#accounts.authenticate(token, address, (fault) =>
      this.#refuseAccount(fault, address),
    );
    requireWorkload(caller.identity, this.#trustDomain);
    if (this.#revocations.isShutOut(caller.identity, caller.authorizedBy)) {
      const message = `${caller.identity} was revoked while this pod had it; delete the pod`;
      throw new CertificateRefusal("permission-denied", message);
    }
    return caller;
  }

  #refuseAccount(fault: string, address: string): CertificateRefusal {
    this.#failures.take(address, this.#clock.monotonicMs());
    this.#log.warn({ fault, address }, `a service-account token was refused: ${fault}`);
    return new CertificateRefusal("unauthenticated", accountRefusal);
  }

  #byToken(text: string, address: string): AuthenticatedCaller {
    const { id, secret } = this.#parse(text, address);
    const use = { id, hash: hashJoinToken({ id, secret }), nowMs: this.#clock.now() };
    const verdict = this.#tokens.judge(use);
    if (!verdict.isGood) throw this.refuseToken(id, verdict.fault, address);
    return { identity: verdict.identity, authorizedBy: `token ${id}`, token: use };
  }

  #parse(text: string, address: string): JoinToken {
    try {
      return parseJoinToken(text);
    } catch (error) {
      if (error instanceof JoinTokenError) throw this.refuseToken("", "malformed", address);
      throw error;
    }
  }

  #byCertificate(peer: SpiffeId, serial: string | undefined): AuthenticatedCaller {
    requireWorkload(peer, this.#trustDomain);
    // Whoever took the key of a pod would otherwise keep its identity when the pod is long gone.
    if (serial !== undefined && this.#rightOf(serial)?.startsWith(podRight)) {
      const message = "this certificate is a pod's: it is renewed by the service-account token of the pod";
      throw new CertificateRefusal("unauthenticated", message);
    }
    return { identity: peer, authorizedBy: `certificate ${peer}` };
  }
}

/** @throws CertificateRefusal for the mesh's own parts, and for whoever is no workload of the trust domain. */
export function requireWorkload(peer: SpiffeId, trustDomain: TrustDomain): void {
  const workload = parseWorkloadId(peer);
  if (workload && workload.namespace !== systemNamespace && trustDomainOf(peer) === trustDomain) return;
  throw new CertificateRefusal("permission-denied", `${peer} is not a workload of ${trustDomain}`);
}

/** What a right in the log is shown by. */
export function shownBy(authorizedBy: string): string {
  if (authorizedBy.startsWith(podRight)) return "the service-account token";
  return authorizedBy.startsWith("token") ? "the join token" : "the certificate";
}
