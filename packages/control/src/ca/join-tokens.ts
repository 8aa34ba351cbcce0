import type { Clock } from "@weft/base/clock";
import { messageOf, UserError } from "@weft/base/errors";
import { formatJoinToken, hashJoinToken, newJoinToken } from "@weft/identity/join-token";
import type { SpiffeId, TrustDomain } from "@weft/identity/spiffe-id";
import { systemNamespace, workloadSpiffeId } from "@weft/identity/workload-id";
import type { CreatedToken, CreateTokenRequest, TokenList, TokenRecord } from "../api/protocol.ts";
import type { AuditActor, AuditLog } from "../store/audit-log.ts";
import type { TokenState, TokenStore } from "../store/token-store.ts";

const defaultTtlSeconds = 3_600;
const maxTtlSeconds = 30 * 86_400;
const maxUsesAllowed = 1_000;
/** The most that may be valid at once: a script that runs away is stopped here. */
const maxTokens = 10_000;

export interface NewToken extends CreateTokenRequest {
  /** Default 1. */
  readonly uses?: number;
}

/** Join tokens as the operator sees them: made, listed, revoked, each of it in the audit log. */
export class JoinTokens {
  readonly #tokens: TokenStore;
  readonly #audit: AuditLog;
  readonly #trustDomain: TrustDomain;
  readonly #clock: Clock;
  readonly #pin: () => string;

  constructor(options: {
    readonly tokens: TokenStore;
    readonly audit: AuditLog;
    readonly trustDomain: TrustDomain;
    readonly clock: Clock;
    /** Pin of the root that issues now. */
    readonly pin: () => string;
  }) {
    this.#tokens = options.tokens;
    this.#audit = options.audit;
    this.#trustDomain = options.trustDomain;
    this.#clock = options.clock;
    this.#pin = options.pin;
  }

  /** The only moment at which the secret exists here. @throws UserError */
  create(request: NewToken, by: AuditActor): CreatedToken {
    const {
      namespace,
      serviceAccount,
      ttlSeconds = defaultTtlSeconds,
      uses = 1,
      isGateway = false,
    } = request;
    const identity = this.#identityOf(namespace, serviceAccount);
    if (!(ttlSeconds >= 1 && ttlSeconds <= maxTtlSeconds)) {
      throw new UserError(`a join token cannot last ${ttlSeconds} s`, { hint: "choose from 1 s to 30 days" });
    }
    if (!Number.isInteger(uses) || uses < 1 || uses > maxUsesAllowed) {
      throw new UserError(`a join token cannot be used ${uses} times`, {
        hint: `choose from 1 to ${maxUsesAllowed}`,
      });
    }
    const nowMs = this.#clock.now();
    if (this.#tokens.countLive(nowMs) >= maxTokens) {
      throw new UserError(`there are ${maxTokens} join tokens that have not expired`, {
        hint: "revoke some, or let them expire",
      });
    }
    const token = newJoinToken(this.#pin());
    const expiresAtMs = nowMs + Math.round(ttlSeconds * 1000);
    this.#tokens.add({
      id: token.id,
      hash: hashJoinToken(token),
      identity,
      isGateway,
      maxUses: uses,
      createdAtMs: nowMs,
      expiresAtMs,
    });
    const event = isGateway ? "gateway token created" : "token created";
    this.#record(event, token.id, identity, expiresAtMs, by);
    return { id: token.id, token: formatJoinToken(token), identity, expiresAtMs };
  }

  list(): TokenList {
    const nowMs = this.#clock.now();
    return { tokens: this.#tokens.list().map((token) => toRecord(token, nowMs)) };
  }

  /** Certificates that were issued with it stay valid. False when there is no such token. */
  revoke(id: string, by: AuditActor): boolean {
    const token = this.#tokens.find(id);
    if (!token || !this.#tokens.revoke(id, this.#clock.now())) return false;
    this.#record("token revoked", id, token.identity, token.expiresAtMs, by);
    return true;
  }

  #identityOf(namespace: string, serviceAccount: string): SpiffeId {
    if (namespace === systemNamespace) {
      throw new UserError(
        `the namespace ${systemNamespace} is the mesh's own: no workload gets an identity in it`,
        {
          hint: "choose another namespace",
        },
      );
    }
    try {
      return workloadSpiffeId(this.#trustDomain, namespace, serviceAccount);
    } catch (error) {
      throw new UserError(messageOf(error), {
        hint: "name it as a Kubernetes namespace or service account",
        cause: error,
      });
    }
  }

  #record(
    event: "token created" | "gateway token created" | "token revoked",
    id: string,
    subject: SpiffeId,
    expiresAtMs: number,
    by: AuditActor,
  ): void {
    const atMs = this.#clock.now();
    this.#audit.append({
      atMs,
      event,
      subject,
      ...by,
      serial: id,
      expiresAtMs,
    });
  }
}

function toRecord(token: TokenState, nowMs: number): TokenRecord {
  const { id, identity, isGateway = false, createdAtMs, expiresAtMs } = token;
  return { id, identity, isGateway, createdAtMs, expiresAtMs, state: stateOf(token, nowMs) };
}

function stateOf(token: TokenState, nowMs: number): TokenRecord["state"] {
  if (token.isRevoked) return "revoked";
  if (token.uses >= token.maxUses) return "used";
  return nowMs >= token.expiresAtMs ? "expired" : "unused";
}
