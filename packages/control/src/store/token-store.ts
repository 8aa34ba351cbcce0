import { timingSafeEqual } from "node:crypto";
import type { SpiffeId } from "@weft/identity/spiffe-id";
import type { Database } from "./database.ts";

/** A join token as it is stored: never its secret. */
export interface StoredToken {
  readonly id: string;
  /** Of id and secret. */
  readonly hash: Buffer;
  readonly identity: SpiffeId;
  /** Whoever joins by it may be a gateway. */
  readonly isGateway?: boolean;
  readonly maxUses: number;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
}

export interface TokenState extends StoredToken {
  readonly uses: number;
  readonly isRevoked: boolean;
}

/** A token presented with a key to certify. */
export interface TokenUse {
  readonly id: string;
  readonly hash: Buffer;
  /** SHA-256 of the key's SubjectPublicKeyInfo. */
  readonly keyHash: Buffer;
  readonly nowMs: number;
}

/** Why a token does not work. For the operator's log: callers are not told which. */
export type TokenFault = "unknown" | "wrong secret" | "revoked" | "expired" | "already used";

export type TokenVerdict =
  | { readonly isGood: true; readonly identity: SpiffeId }
  | { readonly isGood: false; readonly fault: TokenFault };

/** Join tokens. Each change is durable when its call returns. */
export interface TokenStore {
  add(token: StoredToken): void;
  /** Newest first. */
  list(): readonly TokenState[];
  find(id: string): TokenState | undefined;
  /** Tokens that have neither expired nor been revoked, used ones included. */
  countLive(nowMs: number): number;
  /** False when there is no such token. */
  revoke(id: string, nowMs: number): boolean;
  /** Whether a use would be accepted now; nothing is changed. Without a key, uses are not counted yet. */
  judge(use: Omit<TokenUse, "keyHash"> & { readonly keyHash?: Buffer }): TokenVerdict;
  /** Whether the identity has joined by a token for gateways, and has not been shut out since. */
  mayBeGateway(identity: SpiffeId): boolean;
  forgetGateway(identity: SpiffeId): void;
}

/**
 * A workload whose answer got lost, or whose control plane was killed before it
 * answered, asks again with the same key: for this long that is the same use.
 */
const retryWindowMs = 120_000;
/** Tokens are listed for this long after they expired. */
const keepMs = 7 * 86_400_000;

interface Row {
  id: string;
  hash: Uint8Array;
  identity: string;
  max_uses: number;
  created_at_ms: number;
  expires_at_ms: number;
  revoked_at_ms: number | null;
  is_gateway: number;
  uses: number;
}

const select = "SELECT *, (SELECT count(*) FROM token_uses WHERE token_id = id) AS uses FROM tokens";

export function sqliteTokenStore(database: Database): TokenStore & TokenRedeemer {
  const { sqlite } = database;
  const insert = sqlite.prepare("INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, NULL, ?)");
  const findGateway = sqlite.prepare("SELECT 1 FROM gateway_identities WHERE identity = ?");
  const addGateway = sqlite.prepare("INSERT INTO gateway_identities VALUES (?) ON CONFLICT DO NOTHING");
  const forgetGateway = sqlite.prepare("DELETE FROM gateway_identities WHERE identity = ?");
  const purge = sqlite.prepare("DELETE FROM tokens WHERE expires_at_ms < ?");
  const all = sqlite.prepare(`${select} ORDER BY created_at_ms DESC, id`);
  const one = sqlite.prepare(`${select} WHERE id = ?`);
  const live = sqlite.prepare(
    "SELECT count(*) AS n FROM tokens WHERE expires_at_ms > ? AND revoked_at_ms IS NULL",
  );
  const setRevoked = sqlite.prepare(
    "UPDATE tokens SET revoked_at_ms = coalesce(revoked_at_ms, ?) WHERE id = ?",
  );
  const findUse = sqlite.prepare("SELECT at_ms FROM token_uses WHERE token_id = ? AND key_hash = ?");
  const insertUse = sqlite.prepare("INSERT INTO token_uses VALUES (?, ?, ?) ON CONFLICT DO NOTHING");

  const judge: TokenStore["judge"] = (use) => {
    const row = one.get(use.id) as Row | undefined;
    if (!row) return { isGood: false, fault: "unknown" };
    if (row.hash.length !== use.hash.length || !timingSafeEqual(row.hash, use.hash)) {
      return { isGood: false, fault: "wrong secret" };
    }
    if (row.revoked_at_ms !== null) return { isGood: false, fault: "revoked" };
    if (use.nowMs >= row.expires_at_ms) return { isGood: false, fault: "expired" };
    const good = { isGood: true, identity: row.identity as SpiffeId } as const;
    if (!use.keyHash) return good;
    const earlier = findUse.get(use.id, use.keyHash) as { at_ms: number } | undefined;
    const isRetry = earlier !== undefined && use.nowMs - earlier.at_ms <= retryWindowMs;
    if (!isRetry && (earlier || row.uses >= row.max_uses)) return { isGood: false, fault: "already used" };
    return good;
  };

  return {
    add(token) {
      database.transaction(() => {
        purge.run(token.createdAtMs - keepMs);
        const { id, hash, identity, isGateway = false, maxUses, createdAtMs, expiresAtMs } = token;
        insert.run(id, hash, identity, maxUses, createdAtMs, expiresAtMs, isGateway ? 1 : 0);
      });
    },
    list: () => (all.all() as unknown as Row[]).map(toState),
    find(id) {
      const row = one.get(id) as Row | undefined;
      return row && toState(row);
    },
    countLive: (nowMs) => (live.get(nowMs) as { n: number }).n,
    revoke: (id, nowMs) => Number(setRevoked.run(nowMs, id).changes) > 0,
    judge,
    redeem(use) {
      const verdict = judge(use);
      if (!verdict.isGood) return verdict;
      insertUse.run(use.id, use.keyHash, use.nowMs);
      if ((one.get(use.id) as unknown as Row).is_gateway === 1) addGateway.run(verdict.identity);
      return verdict;
    },
    mayBeGateway: (identity) => findGateway.get(identity) !== undefined,
    forgetGateway: (identity) => void forgetGateway.run(identity),
  };
}

/** Uses up a token; only inside a transaction that also records what it was used for. */
export interface TokenRedeemer {
  redeem(use: TokenUse): TokenVerdict;
}

function toState(row: Row): TokenState {
  return {
    id: row.id,
    hash: Buffer.from(row.hash),
    identity: row.identity as SpiffeId,
    isGateway: row.is_gateway === 1,
    maxUses: row.max_uses,
    createdAtMs: row.created_at_ms,
    expiresAtMs: row.expires_at_ms,
    uses: row.uses,
    isRevoked: row.revoked_at_ms !== null,
  };
}
