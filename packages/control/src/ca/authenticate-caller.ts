import type { Clock } from "@weft/base/clock";
import { hashJoinToken, type JoinToken, JoinTokenError, parseJoinToken } from "@weft/identity/join-token";
import { type SpiffeId, type TrustDomain, trustDomainOf } from "@weft/identity/spiffe-id";
import { parseWorkloadId, systemNamespace } from "@weft/identity/workload-id";
import type { TokenFault, TokenStore, TokenUse } from "../store/token-store.ts";
import type { CaLog } from "./ca-log.ts";
import { type Caller, CertificateRefusal } from "./certificate-request.ts";
import type { RateLimit } from "./rate-limit.ts";

/** Who may have a certificate, and of which identity. */
export interface AuthenticatedCaller {
  readonly identity: SpiffeId;
  /** For the audit log. */
  readonly authorizedBy: string;
  /** The token that is to be used up by the certificate. */
  readonly token?: Omit<TokenUse, "keyHash">;
}

/** Deliberately the same for every fault: a guesser learns nothing from it. */
const tokenRefusal = "the join token is not known, has expired or was used already";

/** Says who calls, from the little a caller shows. Guessing tokens is slowed down by address. */
export class CallerAuthenticator {
  readonly #tokens: TokenStore;
  readonly #failures: RateLimit;
  readonly #trustDomain: TrustDomain;
  readonly #clock: Clock;
  readonly #log: CaLog;

  constructor(options: {
    readonly tokens: TokenStore;
    readonly failures: RateLimit;
    readonly trustDomain: TrustDomain;
    readonly clock: Clock;
    readonly log: CaLog;
  }) {
    this.#tokens = options.tokens;
    this.#failures = options.failures;
    this.#trustDomain = options.trustDomain;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  /** @throws CertificateRefusal */
  authenticate(auth: Caller | undefined, address: string): AuthenticatedCaller {
    if (!auth) {
      throw new CertificateRefusal(
        "unauthenticated",
        "a certificate needs a join token or the workload's current certificate; create a token with 'weft token create'",
      );
    }
    return "token" in auth ? this.#byToken(auth.token, address) : this.#byCertificate(auth.peer);
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

  #byToken(text: string, address: string): AuthenticatedCaller {
    const waitMs = this.#failures.waitMs(address, this.#clock.monotonicMs());
    if (waitMs > 0) {
      const message = `too many join tokens from ${address} were refused; try again in ${Math.ceil(waitMs / 1000)} s`;
      throw new CertificateRefusal("resource-exhausted", message);
    }
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

  #byCertificate(peer: SpiffeId): AuthenticatedCaller {
    requireWorkload(peer, this.#trustDomain);
    return { identity: peer, authorizedBy: `certificate ${peer}` };
  }
}

/** @throws CertificateRefusal for the mesh's own parts, and for whoever is no workload of the trust domain. */
export function requireWorkload(peer: SpiffeId, trustDomain: TrustDomain): void {
  const workload = parseWorkloadId(peer);
  if (workload && workload.namespace !== systemNamespace && trustDomainOf(peer) === trustDomain) return;
  throw new CertificateRefusal("permission-denied", `${peer} is not a workload of ${trustDomain}`);
}
