import type { Clock } from "@weft/base/clock";
import { signJwtSvid } from "@weft/identity/jwt-svid";
import type { SpiffeId, TrustDomain } from "@weft/identity/spiffe-id";
import type { AuditLog } from "../store/audit-log.ts";
import { requireWorkload } from "./authenticate-caller.ts";
import { CertificateRefusal } from "./certificate-request.ts";
import type { JwtKeys } from "./jwt-keys.ts";
import { type Rate, RateLimit } from "./rate-limit.ts";

export interface JwtSvidIssuerOptions {
  readonly keys: JwtKeys;
  readonly audit: AuditLog;
  readonly trustDomain: TrustDomain;
  readonly clock: Clock;
  /** Tokens for one identity at one address. Default 20 per second after 200. */
  readonly rate?: Rate;
}

/** A request of a workload for a token that proves its identity to an audience. */
export interface JwtSvidAsk {
  /** The verified SVID of the connection; absent when there is none. */
  readonly peer: SpiffeId | undefined;
  readonly audience: readonly string[];
  /** 0: the default. */
  readonly validitySeconds: number;
  readonly address: string;
}

const defaultSeconds = 300;
const maxSeconds = 3_600;
const maxAudiences = 16;
const maxAudienceLength = 1_024;

/**
 * Issues JWT-SVIDs to workloads that have proven to be them by their X.509-SVID.
 * Each is in the audit log before it is given away.
 */
export class JwtSvidIssuer {
  readonly #options: JwtSvidIssuerOptions;
  readonly #rate: RateLimit;

  constructor(options: JwtSvidIssuerOptions) {
    this.#options = options;
    this.#rate = new RateLimit(options.rate ?? { perSecond: 20, burst: 200 });
  }

  /** Resolves to the token. @throws CertificateRefusal */
  async issue({ peer, audience, validitySeconds, address }: JwtSvidAsk): Promise<string> {
    const { keys, audit, trustDomain, clock } = this.#options;
    if (!peer) {
      throw new CertificateRefusal("unauthenticated", "a JWT-SVID needs the workload's current certificate");
    }
    requireWorkload(peer, trustDomain);
    checkAudience(audience);
    if (validitySeconds > maxSeconds) {
      throw new CertificateRefusal("invalid-argument", `a JWT-SVID lives at most ${maxSeconds} s`);
    }
    this.#limit(`${peer} ${address}`);
    const nowMs = clock.now();
    const expiresAtMs = nowMs + (validitySeconds || defaultSeconds) * 1000;
    const { token, tokenId } = signJwtSvid(keys.current, { spiffeId: peer, audience, nowMs, expiresAtMs });
    await audit.recordIssuance({
      atMs: nowMs,
      event: "JWT-SVID issued",
      subject: peer,
      authorizedBy: `certificate ${peer}`,
      address,
      serial: tokenId,
      expiresAtMs,
    });
    return token;
  }

  #limit(caller: string): void {
    const nowMs = this.#options.clock.monotonicMs();
    const waitMs = this.#rate.waitMs(caller, nowMs);
    if (waitMs > 0) {
      const message = `too many JWT-SVIDs were asked for; try again in ${Math.ceil(waitMs / 1000)} s`;
      throw new CertificateRefusal("resource-exhausted", message);
    }
    this.#rate.take(caller, nowMs);
  }
}

function checkAudience(audience: readonly string[]): void {
  const isGood =
    audience.length >= 1 &&
    audience.length <= maxAudiences &&
    audience.every((one) => one !== "" && one.length <= maxAudienceLength);
  if (isGood) return;
  throw new CertificateRefusal(
    "invalid-argument",
    `a JWT-SVID names 1 to ${maxAudiences} audiences, each of 1 to ${maxAudienceLength} characters`,
  );
}
