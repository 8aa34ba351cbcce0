import type { Provenance } from "./provenance.ts";
import type { HttpRoute, TcpRoute, TlsRoute } from "./routing.ts";
import type { Visibility } from "./visibility.ts";

/** What a workload that is a gateway serves: the Gateways that select it, merged, in order of port. */
export interface GatewayRole {
  readonly listeners: readonly GatewayListener[];
  /** What it shows to backends that a BackendTLSPolicy is for. */
  readonly backendCertificate?: SecretCertificate;
}

/** One address and port, and the servers that share it. */
export interface GatewayListener {
  /** As Gateways and routes name it. */
  readonly port: number;
  /** Where it listens: another port only where the gateway's own service maps it. */
  readonly listenPort: number;
  /** Undefined: every address. */
  readonly bind: string | undefined;
  /** What is told apart by: the host of a request, the server name of TLS, or nothing. */
  readonly kind: "http" | "tls" | "tcp";
  readonly servers: readonly GatewayServer[];
}

export interface GatewayServer {
  /** `namespace/name` of the Gateway it is part of; of the Gateway API's `namespace/name/listener`. */
  readonly gateway: string;
  readonly namespace: string;
  readonly portName: string;
  readonly protocol: "http" | "https" | "tls" | "tcp";
  readonly hosts: readonly ServerHost[];
  /** Requests for its hosts are for nobody else, also where it has no route for them. */
  readonly keepsHosts?: true;
  /** Plain requests are answered with the way to HTTPS. */
  readonly redirectsToHttps: boolean;
  /** Undefined: not TLS, or passed on as it is. */
  readonly tls: ServerTls | undefined;
  /** Members of the mesh say by their server name to which service they are passed on: no route does. */
  readonly passesMembers?: true;
  readonly source: Provenance;
}

export interface ServerHost {
  /** Of the VirtualServices that may use it; undefined: any. */
  readonly namespace: string | undefined;
  /** A name, `*.name`, or `*`. */
  readonly host: string;
}

/** Whose certificate a gateway shows, and what it asks of its clients. */
export interface ServerTls {
  readonly clients: "any" | "optional" | "verified" | "mesh";
  /** A client's certificate that does not verify is let in all the same: it proves nothing. */
  readonly acceptsUntrusted?: true;
  /** Empty for `mesh`, where it is the gateway's own identity. */
  readonly certificates: readonly ServerCertificate[];
  readonly trust: ClientTrust | undefined;
  /** One of these, where there are any, must be in a client's certificate. */
  readonly names: readonly string[];
  readonly hashes: readonly string[];
  readonly spkis: readonly string[];
  readonly minVersion: TlsVersion | undefined;
  readonly maxVersion: TlsVersion | undefined;
  readonly ciphers: readonly string[];
}

export type TlsVersion = "1.2" | "1.3";

/** By Secret, of the gateway's own namespace unless another one is named, or by files on the gateway's machine. */
export type ServerCertificate = SecretCertificate | { readonly chainFile: string; readonly keyFile: string };

export interface SecretCertificate {
  readonly secret: string;
  readonly namespace?: string;
}

export type ClientTrust =
  | { readonly secret: string }
  /** Certificates of authorities as PEM, under a name of their own; empty: nobody can be verified. */
  | { readonly bundle: string; readonly roots: string }
  | { readonly caFile: string; readonly crlFile: string | undefined };

/** The routes one VirtualService gives a gateway it names, for those of its hosts that the gateway serves. */
export interface GatewayRouting {
  readonly hosts: readonly string[];
  readonly namespace: string;
  readonly name: string;
  /** Absent: gateways of every namespace. */
  readonly visibleIn?: Visibility;
  readonly http: readonly HttpRoute[];
  readonly tcp: readonly TcpRoute[];
  readonly tls: readonly TlsRoute[];
  readonly source: Provenance;
}
