import type { SpiffeId, TrustDomain } from "@weft/identity/spiffe-id";

/** Another trust domain whose identities are to be verified, and where that is learnt. */
export interface FederationSource {
  readonly trustDomain: TrustDomain;
  /** What serves its bundle, known by its SPIFFE ID (`https_spiffe`) or else by its host name (`https_web`). */
  readonly endpoint?: { readonly url: string; readonly spiffeId: SpiffeId | undefined };
  /** A bundle document to begin with. */
  readonly initial?: string;
  /** Roots that an operator wrote down, in place of an endpoint. */
  readonly pem?: string;
  /** The resource it was written in, for people. */
  readonly name: string;
}
