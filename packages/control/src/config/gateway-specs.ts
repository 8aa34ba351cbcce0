/** The spec of Istio's Gateway as it is written: of it the fields that Weft reads. */

export interface GatewaySpec {
  /** Labels of the gateways that serve it; none: every gateway does. */
  readonly selector?: Readonly<Record<string, string>>;
  readonly servers?: readonly ServerSpec[];
}

export interface ServerSpec {
  readonly name?: string;
  readonly port: { readonly number: number; readonly name: string; readonly protocol: string };
  readonly bind?: string;
  /** `host`, or `namespace/host` for the VirtualServices of that namespace only. */
  readonly hosts: readonly string[];
  readonly tls?: ServerTlsSpec;
}

export type ServerTlsMode =
  | "PASSTHROUGH"
  | "SIMPLE"
  | "MUTUAL"
  | "OPTIONAL_MUTUAL"
  | "ISTIO_MUTUAL"
  | "AUTO_PASSTHROUGH";

export interface CertificateFilesSpec {
  readonly serverCertificate?: string;
  readonly privateKey?: string;
  readonly caCertificates?: string;
}

export interface ServerTlsSpec extends CertificateFilesSpec {
  readonly httpsRedirect?: boolean;
  readonly mode?: ServerTlsMode;
  readonly caCrl?: string;
  readonly credentialName?: string;
  readonly credentialNames?: readonly string[];
  readonly caCertCredentialName?: string;
  /** Clients are let in whether or not their certificate verifies. */
  readonly insecureSkipVerify?: boolean;
  readonly tlsCertificates?: readonly CertificateFilesSpec[];
  readonly subjectAltNames?: readonly string[];
  readonly verifyCertificateHash?: readonly string[];
  readonly verifyCertificateSpki?: readonly string[];
  readonly minProtocolVersion?: TlsVersionSpec;
  readonly maxProtocolVersion?: TlsVersionSpec;
  readonly cipherSuites?: readonly string[];
}

export type TlsVersionSpec = "TLS_AUTO" | "TLSV1_2" | "TLSV1_3";
