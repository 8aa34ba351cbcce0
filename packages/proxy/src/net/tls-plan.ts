import type { SecureContext } from "node:tls";

/**
 * Certificate material that changes while in use: each rotation replaces
 * `current`, and only handshakes that begin afterwards see it.
 */
export interface TlsContextSource {
  /** Undefined until the first secret has arrived: listeners refuse and clusters wait. */
  readonly current: SecureContext | undefined;
  /** The context for the server name a client asks for; absent where there is one certificate for all. */
  readonly select?: ((serverName: string) => SecureContext) | undefined;
  /** The trust domains that peers may be of, where their SPIFFE IDs decide under which roots they are verified. */
  readonly svidDomains?: ReadonlySet<string> | undefined;
  /** Grows by one with every replacement; pools compare it to retire connections made before. */
  readonly generation: number;
}

/** The names a verified peer certificate carries. */
export interface PeerIdentity {
  /** URI subject alternative names, SPIFFE IDs among them. */
  readonly uris: readonly string[];
  readonly dnsNames: readonly string[];
  /** Absent in hand-made identities. */
  readonly ipAddresses?: readonly string[];
  readonly emails?: readonly string[];
  /** SHA-256 of the DER SubjectPublicKeyInfo in base64; computed when asked for. */
  readonly spki?: string;
  /** RFC 2253 subject. */
  readonly subject: string;
  /** SHA-256 of the DER certificate, lower-case hex. */
  readonly fingerprint: string;
  /** The leaf, and the leaf with its chain, in PEM; computed when asked for. Absent in hand-made identities. */
  readonly pem?: string;
  readonly chainPem?: string;
}

/** What Envoy asks of a verified certificate beyond its chain, compiled: names, hashes of it or of its key. */
export type SanMatcher = (peer: PeerIdentity) => boolean;

/** @see envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext */
export interface DownstreamTlsPlan {
  readonly context: TlsContextSource;
  readonly requireClientCertificate: boolean;
  /** False when there is no validation context: clients are then not asked for a certificate. Absent means true. */
  readonly verifiesClients?: boolean;
  /** A certificate that does not verify is let in all the same, and proves nothing (`ACCEPT_UNTRUSTED`). */
  readonly acceptsUntrusted?: boolean;
  readonly alpnProtocols: readonly string[];
  /** Undefined accepts every peer the trust bundle verifies. */
  readonly matchesSan: SanMatcher | undefined;
}

/** @see envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext */
export interface UpstreamTlsPlan {
  readonly context: TlsContextSource;
  readonly sni: string | undefined;
  /** The endpoint's host name, where it has one, is asked for instead of `sni`. */
  readonly asksForHostname?: boolean;
  /** The certificate must be for the name that was asked for. */
  readonly verifiesServerName?: boolean;
  readonly alpnProtocols: readonly string[];
  /** How many sessions are kept to be resumed, the latest ones; 0 resumes none. Absent means 256. */
  readonly maxSessions?: number | undefined;
  /** False only when no validation context is configured at all (as Envoy: no verification). */
  readonly verifiesPeer: boolean;
  readonly matchesSan: SanMatcher | undefined;
}
