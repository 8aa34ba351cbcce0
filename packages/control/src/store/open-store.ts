import { join } from "node:path";
import type { Clock } from "@weft/base/clock";
import { UserError } from "@weft/base/errors";
import type { TrustDomain } from "@weft/identity/spiffe-id";
import { sqliteAddressStore } from "./address-store.ts";
import type { AuditBounds } from "./audit-archive.ts";
import { sqliteAuditLog } from "./audit-log.ts";
import { sqliteBundleStore } from "./bundle-store.ts";
import { sqliteCanaryStore } from "./canary-store.ts";
import { Database } from "./database.ts";
import { sqliteJwtKeyStore } from "./jwt-key-store.ts";
import { sqliteResourceStore } from "./resource-store.ts";
import { sqliteRevocationStore } from "./revocation-store.ts";
import { sqliteRolloutStore } from "./rollout-store.ts";
import { sqliteRootStore } from "./root-store.ts";
import { openStateDirectory } from "./state-directory.ts";
import type { Store } from "./store.ts";
import { sqliteTokenStore } from "./token-store.ts";

export interface StoreOptions {
  /** Made with mode 0700 when it is missing. */
  readonly directory: string;
  /** Fixed with the first start: every identity carries it. */
  readonly trustDomain: TrustDomain;
  readonly clock: Clock;
  /** Default: what a large mesh needs. */
  readonly auditBounds?: AuditBounds;
}

/**
 * Opens the state of one control plane, for this process alone.
 *
 * @throws UserError when another control plane runs on it, when it belongs to
 * another trust domain, or when it cannot be used.
 */
export function openStore({ directory, trustDomain, clock, auditBounds }: StoreOptions): Store {
  const state = openStateDirectory(directory);
  try {
    const database = new Database(join(directory, "weft.db"));
    try {
      checkTrustDomain(database, directory, trustDomain);
      const tokens = sqliteTokenStore(database);
      return {
        resources: sqliteResourceStore(database, clock),
        roots: sqliteRootStore(database),
        tokens,
        audit: sqliteAuditLog(database, tokens, { ...auditBounds, folder: join(directory, "audit"), clock }),
        jwtKeys: sqliteJwtKeyStore(database),
        revocations: sqliteRevocationStore(database),
        bundles: sqliteBundleStore(database),
        addresses: sqliteAddressStore(database),
        rollouts: sqliteRolloutStore(database),
        canaries: sqliteCanaryStore(database),
        close() {
          database.close();
          state.close();
        },
      };
    } catch (error) {
      database.close();
      throw error;
    }
  } catch (error) {
    state.close();
    throw error;
  }
}

function checkTrustDomain({ sqlite }: Database, directory: string, trustDomain: TrustDomain): void {
  sqlite.prepare("INSERT INTO settings VALUES ('trust_domain', ?) ON CONFLICT DO NOTHING").run(trustDomain);
  const row = sqlite.prepare("SELECT value FROM settings WHERE name = 'trust_domain'").get() as {
    value: string;
  };
  if (row.value === trustDomain) return;
  throw new UserError(`the state in ${directory} belongs to trust domain ${row.value}, not ${trustDomain}`, {
    hint: `start with --trust-domain ${row.value}, or with another --state directory`,
  });
}
