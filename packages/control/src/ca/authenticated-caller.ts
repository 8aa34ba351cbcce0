import type { SpiffeId } from "@weft/identity/spiffe-id";
import type { TokenUse } from "../store/token-store.ts";

/** Who may have a certificate, and of which identity. */
export interface AuthenticatedCaller {
  readonly identity: SpiffeId;
  /** For the audit log. */
  readonly authorizedBy: string;
  /** The token that is to be used up by the certificate. */
  readonly token?: Omit<TokenUse, "keyHash">;
}
