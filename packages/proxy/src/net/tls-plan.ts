import type { SecureContext } from "node:tls";

/**
 * Certificate material that changes while in use: each rotation replaces
 * `current`, and only handshakes that begin afterwards see it.
 */
export interface TlsContextSource {
  /** Undefined until the first secret has arrived: listeners refuse and clusters wait. */
  readonly current: SecureContext | undefined;
  /** Grows by one with every replacement; pools compare it to retire connections made before. */
  readonly generation: number;
}

/** The names a verified peer certificate carries. */
export interface PeerIdentity {
  /** URI subject alternative names, SPIFFE IDs among them. */
  readonly uris: readonly string[];
  readonly dnsNames: readonly string[];
  /** RFC 2253 subject. */
  readonly subject: string;
  /** SHA-256 of the DER certificate, lower-case hex. */
  readonly fingerprint: string;
  /** The leaf, and the leaf with its chain, in PEM; computed when asked for. Absent in hand-made identities. */
  readonly pem?: string;
  readonly chainPem?: string;
}

/** Envoy's `match_typed_subject_alt_names`, compiled: true when any name satisfies any matcher. */
export type SanMatcher = (peer: PeerIdentity) => boolean;

/** @see envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext */
export interface DownstreamTlsPlan {
  readonly context: TlsContextSource;
  readonly requireClientCertificate: boolean;
  /** False when there is no validation context: clients are then not asked for a certificate. Absent means true. */
  readonly verifiesClients?: boolean;
  readonly alpnProtocols: readonly string[];
  /** Undefined accepts every peer the trust bundle verifies. */
  readonly matchesSan: SanMatcher | undefined;
}

/** @see envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext */
export interface UpstreamTlsPlan {
  readonly context: TlsContextSource;
  readonly sni: string | undefined;
  readonly alpnProtocols: readonly string[];
  /** False only when no validation context is configured at all (as Envoy: no verification). */
  readonly verifiesPeer: boolean;
  readonly matchesSan: SanMatcher | undefined;
}
