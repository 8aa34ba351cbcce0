import { readFileSync } from "node:fs";
import { request } from "node:https";
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import { messageOf, UserError } from "@weft/base/errors";
import type { ApiEndpoint } from "./endpoint.ts";

/** How an operator reaches a control plane elsewhere, and shows who they are. */
export interface RemoteServer {
  /** `https://HOST:PORT` */
  readonly server: string;
  /** PEM roots beside those of the system: those of the mesh, where the server's certificate is of its authority. */
  readonly caFile?: string;
  readonly clientCert?: string;
  readonly clientKey?: string;
  /** Holds a bearer token; read for every request, so that a renewed one counts. */
  readonly tokenFile?: string;
}

/** @throws UserError for files that cannot be read */
export function remoteEndpoint(remote: RemoteServer): ApiEndpoint {
  const { hostname, port } = new URL(remote.server);
  const tls = {
    host: hostname.replace(/^\[|\]$/g, ""),
    port: port === "" ? 443 : Number(port),
    minVersion: "TLSv1.2",
    checkServerIdentity: checkIdentity,
    ...(remote.caFile !== undefined && { ca: read(remote.caFile, "--ca-file") }),
    ...(remote.clientCert !== undefined && {
      cert: read(remote.clientCert, "--client-cert"),
      key: read(remote.clientKey ?? remote.clientCert, "--client-key"),
    }),
  } as const;
  return {
    open(options) {
      const token =
        remote.tokenFile === undefined ? undefined : read(remote.tokenFile, "--token-file").trim();
      const headers = {
        ...options.headers,
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      };
      return request({ ...options, ...tls, headers, agent: false });
    },
    explain: (error) => explain(error, remote.server),
  };
}

/** By its host name, or as a control plane by the identity that only the mesh's authority gives it. */
function checkIdentity(host: string, certificate: PeerCertificate): Error | undefined {
  const isControlPlane =
    /(?:^|, )URI:spiffe:\/\/[^/,"]+\/ns\/weft-system\/sa\/weft-control-plane(?:,|$)/.test(
      certificate.subjectaltname ?? "",
    );
  return isControlPlane ? undefined : checkServerIdentity(host, certificate);
}

function read(file: string, flag: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new UserError(`${flag}: ${messageOf(error)}`, {
      hint: "name a file that you may read; 'weft context list' shows what is used",
      exitCode: 2,
      cause: error,
    });
  }
}

const untrusted: ReadonlySet<string> = new Set([
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_GET_ISSUER_CERT",
]);

function explain(error: NodeJS.ErrnoException, server: string): UserError {
  const failure = (message: string, hint: string) =>
    new UserError(message, { hint, exitCode: 3, cause: error });
  const code = error.code ?? "";
  if (untrusted.has(code)) {
    return failure(
      `${server} shows a certificate of an authority that is not trusted here`,
      "where it is the mesh's own, get its roots with 'weft ca status -o pem' on its machine and name them with --ca-file",
    );
  }
  switch (code) {
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return failure(`${server} shows a certificate for other names`, "use a name that its certificate has");
    case "CERT_HAS_EXPIRED":
      return failure(`the certificate of ${server} has expired`, "renew it; see --api-cert");
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return failure(`${server}: the name does not resolve`, "check the name");
    case "ECONNREFUSED":
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return failure(
        `no control plane answers on ${server}`,
        "start it with --api-listen, or choose another with --server or 'weft context use'",
      );
    case "ETIMEDOUT":
      return failure(`${server} did not answer in time`, "see that it can be reached from here");
    default:
      return failure(`the connection to ${server} broke off: ${error.message}`, "try again");
  }
}
