import type { VirtualAddressStore } from "./address-store.ts";
import type { AuditLog } from "./audit-log.ts";
import type { BundleStore } from "./bundle-store.ts";
import type { CanaryStore } from "./canary-store.ts";
import type { JwtKeyStore } from "./jwt-key-store.ts";
import type { ResourceStore } from "./resource-store.ts";
import type { RevocationStore } from "./revocation-store.ts";
import type { RolloutStore } from "./rollout-store.ts";
import type { RootStore } from "./root-store.ts";
import type { TokenStore } from "./token-store.ts";

/**
 * Everything a control plane must not lose. Whoever implements it promises that
 * what a call acknowledged survives `kill -9` at any moment.
 */
export interface Store {
  readonly resources: ResourceStore;
  readonly roots: RootStore;
  readonly tokens: TokenStore;
  readonly audit: AuditLog;
  readonly jwtKeys: JwtKeyStore;
  readonly revocations: RevocationStore;
  readonly bundles: BundleStore;
  readonly addresses: VirtualAddressStore;
  readonly rollouts: RolloutStore;
  readonly canaries: CanaryStore;
  close(): void;
}
