import type { Certificate } from "@weft/identity/certificate";
import { type Issuer, issueLeaf } from "@weft/identity/profiles";
import type { SpiffeId } from "@weft/identity/spiffe-id";

/** A certificate to sign. Everything in it has been decided; a signer adds no judgement. */
export interface SignRequest {
  /** The request itself, for a signer that takes it over the network. */
  readonly csrPem: string;
  /** What the request was verified to say. */
  readonly spiffeId: SpiffeId;
  readonly spki: Buffer;
  readonly dnsNames?: readonly string[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/**
 * Whatever holds an issuing key: the control plane's own root or intermediate,
 * or a service elsewhere. What it returns is verified against the trust bundle
 * before anybody gets it.
 */
export interface Signer {
  /** Leaf first, root last. Rejects when it cannot sign. */
  sign(request: SignRequest): Promise<readonly Certificate[]>;
  /** The certificate it signs with, where that is known beforehand. */
  readonly issuer?: Certificate;
}

/** Signs with a key in this process. `above` leads from the issuer's own signer to the root; empty for a root. */
export function localSigner(issuer: Issuer, above: readonly Certificate[] = []): Signer {
  return {
    issuer: issuer.certificate,
    sign: async (request) => [issueLeaf(issuer, request), issuer.certificate, ...above],
  };
}
