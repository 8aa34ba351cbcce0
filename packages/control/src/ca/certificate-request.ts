import type { SpiffeId } from "@weft/identity/spiffe-id";

/**
 * How a caller shows who it is: by a join token or a Kubernetes service-account token, or by the SVID of its
 * TLS connection, which was verified and may have expired.
 */
export type Caller =
  | { readonly token: string }
  | {
      readonly peer: SpiffeId;
      /** Of its certificate, hexadecimal. */
      readonly serial?: string;
    };

export interface CertificateRequest {
  readonly csrPem: string;
  /** 0 or absent: the default. */
  readonly validitySeconds?: number;
  /** Absent when the caller showed nothing. */
  readonly auth?: Caller;
  /** Where the request came from, without port: for limits and the audit log. */
  readonly address: string;
}

/** gRPC's names. */
export type RefusalCode =
  | "unauthenticated"
  | "permission-denied"
  | "invalid-argument"
  | "resource-exhausted"
  | "unavailable";

/** Why a certificate is not issued; the message is for the caller and says what to do next. */
export class CertificateRefusal extends Error {
  override readonly name = "CertificateRefusal";
  readonly code: RefusalCode;

  constructor(code: RefusalCode, message: string) {
    super(message);
    this.code = code;
  }
}

export interface IssuedCertificate {
  readonly isIssued: true;
  /** Leaf first, root last. */
  readonly chainPem: readonly string[];
  readonly spiffeId: SpiffeId;
  /** Hexadecimal. */
  readonly serial: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export interface RefusedCertificate {
  readonly isIssued: false;
  readonly code: RefusalCode;
  readonly message: string;
}

export type CertificateAnswer = IssuedCertificate | RefusedCertificate;
